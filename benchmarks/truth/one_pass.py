"""What one pass of a network that was trained by DogFit has learned of the guidance that its teacher takes two for.

    python -m benchmarks.truth.one_pass full-dogfit --json benchmarks/results/one-pass.json

On training latents of the finished study, at times drawn over the whole schedule, the teacher's prediction is guided as
in `finefit.objectives.dogfit`, from the network's own at w = 1. `learned` is the share of what the teacher adds to
that which the network told w adds by itself (1: all of it, by projection), `gap` the root mean square that is left to
the teacher, as a share of the prediction, and `unguided` that of the network told w = 1.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from benchmarks.speed.measuring import machine
from finefit import processes
from finefit.deltas.delta import load_run
from finefit.deltas.network import unconditional
from finefit.jobs.job import Job
from finefit.latents.pack import Pack
from finefit.objectives.dogfit import guided_target
from finefit.outlook.facts import objective_of
from finefit.study.plan import Plan
from finefit.study.reading import load

SCALES = (1.5, 2.0, 3.0)
PICTURES = 96


@torch.no_grad()
def learned(run: Job) -> list[dict[str, float]]:
    """A row for each scale: `scale`, `learned`, `gap`, `unguided`."""
    model, asked = load_run(run).eval(), objective_of(run)
    base = unconditional(run.inputs["base"].path / "base.safetensors", model.shape)
    process = processes.of(run.settings["network"])
    pack, chance = Pack(run.inputs["latents"].path), torch.Generator().manual_seed(0)
    rows = np.linspace(0, len(pack.labels) - 1, PICTURES).astype(int)
    t = process.times(PICTURES, chance)
    channels, side = model.shape.latent_channels, model.shape.latent_size
    noise = torch.randn(PICTURES, channels, side, side, generator=chance)
    latents = pack.sample(rows, np.zeros(PICTURES, int), torch.zeros_like(noise))
    noised, labels = process.noised(latents, t, noise), torch.as_tensor(pack.labels)[torch.as_tensor(rows)]
    own, none = model(noised, t, labels)[:, :channels], base(noised, t, torch.zeros_like(labels))[:, :channels]

    def share(of: torch.Tensor) -> float:
        return float((of.square().mean() / own[:, : asked.guided_channels].square().mean()).sqrt())

    found = []
    for scale in SCALES:
        told = torch.full((PICTURES,), scale)
        pupil = (model(noised, t, labels, told)[:, :channels] - own)[:, : asked.guided_channels]
        further = (told - 1) * process.least_noisy(t, asked.below)
        teacher = (guided_target(own, own, none, further, asked.guided_channels) - own)[:, : asked.guided_channels]
        projected = float((pupil * teacher).sum() / teacher.square().sum())
        gap, unguided = share(pupil - teacher), share(teacher)
        found.append({"scale": scale, "learned": projected, "gap": gap, "unguided": unguided})
    return found


def main() -> None:
    """Print a line for each run of the method, and write all where `--json` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entry", help="an entry of the study with objective dogfit")
    parser.add_argument("--study", type=Path, default=Path("studies/rivals.yaml"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    runs = [run for run in Plan(load(args.study)).kind("finetune") if f"/{args.entry}-s" in run.name]
    found = {run.name: learned(run) for run in runs}
    for name, rows in found.items():
        for row in rows:
            print(name, {key: round(value, 4) for key, value in row.items()}, flush=True)
    if args.json:
        args.json.write_text(json.dumps({"machine": machine("cpu"), "runs": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
