"""Fidelity and seconds of samplers on one method's finished runs: what 250 ancestral steps buy over a few of another.

    python -m benchmarks.speed.samplers full --json samplers.json
    python -m benchmarks.speed.samplers full --study studies/smoke.yaml --per-class 4

Every row draws the same labels from the same first noise, guided as in the study, and is judged as there: by its first
judge, against real test pictures. A score is the mean over the study's seeds, and beside it its difference from the
first row's with a 95 % interval, seed by seed. Seconds hold sampling and decoding.

Beside ours stand UniPC (Zhao et al. 2023) as diffusers has it, and `evaluate_every` (finefit.diffusion.taylorseer),
which continues what the blocks add to the tokens; to continue the network's output instead is the cheaper thing to try.
Nothing is published.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.speed import paired
from benchmarks.speed.measuring import machine
from finefit import codecs, processes
from finefit.diffusion.taylorseer import Line
from finefit.evaluation import judge, scores
from finefit.evaluation.real import Real
from finefit.jobs import store
from finefit.jobs.devices import device_here
from finefit.jobs.job import Job
from finefit.jobs.torchvision_shim import importable_torchvision
from finefit.metrics.frechet import frechet_distance
from finefit.processes import STEPS
from finefit.sampling.batches import batches_of
from finefit.sampling.networks import load_to_sample
from finefit.sampling.sample import sample
from finefit.study.plan import Plan
from finefit.study.reading import load

if TYPE_CHECKING:
    from finefit.processes import Noise, Predict

# Sampler, its steps, at how many of them there is one evaluation, and what is extrapolated between.
DDPM = [
    ("ancestral", 250, 1, ""),
    ("ddim", 50, 1, ""),
    ("ddim", 25, 1, ""),
    *(("dpmpp", steps, 1, "") for steps in (50, 25, 16, 12, 8, 4)),
    *(("unipc", steps, 1, "") for steps in (12, 8)),
    ("ddim", 48, 4, "blocks"),
    ("ddim", 24, 3, "blocks"),
    *(("dpmpp", 24, every, what) for every in (2, 3) for what in ("blocks", "output")),
]
FLOW = [
    ("sde", 250, 1, ""),
    *(("heun", steps, 1, "") for steps in (25, 8, 4, 2)),
    *(("euler", steps, 1, "") for steps in (50, 16, 8, 4)),
]
SAMPLERS = {"ddpm": DDPM, "flow": FLOW}  # the first row is what the others are compared with
SCORES = ["distance", "named"]


def unipc(predict: Predict, x: Tensor, steps: int, noise: Noise) -> Tensor:
    """UniPC of second order by diffusers, at the timesteps of our own DPM-Solver++."""
    importable_torchvision()
    from diffusers import UniPCMultistepScheduler

    schedule = {"beta_start": 1e-4, "beta_end": 0.02, "num_train_timesteps": STEPS}
    scheduler = UniPCMultistepScheduler(**schedule, timestep_spacing="linspace")
    scheduler.set_timesteps(steps)
    for timestep in scheduler.timesteps:
        predicted = predict(x, int(timestep)).float().chunk(2, dim=1)[0]
        x = scheduler.step(predicted, timestep, x).prev_sample
    return x


def judged(method: str, plan: Plan) -> list[Job]:
    """A method's evaluations at the study's own scale and its first guidance, a seed each.

    Raises:
        ValueError: no such method, or what they need is not published.
    """
    asked = plan.study.sample.scale
    jobs = {}
    for job in plan.kind("evaluate"):
        sampled = job.inputs["sample"]
        if sampled.settings["scale"] == asked and sampled.inputs["run"].settings["method"] == method:
            jobs.setdefault(sampled.settings["seed"], job)
    if not jobs:
        raise ValueError(f"{method}: no method of study {plan.study.name!r}")
    for job in jobs.values():
        run = job.inputs["sample"].inputs["run"]
        for needed in (run, *run.inputs.values(), *(part for role, part in job.inputs.items() if role != "sample")):
            store.check(needed)
    return list(jobs.values())


def drawn(job: Job, settings: dict, every: int, between: str, device: str) -> tuple[Tensor, Tensor, float]:
    """Pictures uint8 `[n, r, r, 3]` and labels `[n]`, and the seconds they took."""
    model, pair, precision = load_to_sample(job, device)
    codec = codecs.load(settings["codec"]).to(device)
    process = processes.of(settings)
    sampler = getattr(process, settings["sampler"])
    settings = settings | {"sampler": "asked", "evaluate_every": every if between == "blocks" else 1}

    def on_a_line(predict: Predict, *others: Any) -> Tensor:
        line = Line(every)
        return sampler(lambda x, t: line(lambda: predict(x, t)), *others)

    def sampled(labels: Tensor, numbers: Tensor) -> Tensor:
        process.asked = on_a_line if between == "output" else sampler
        return sample(model, labels, numbers, settings, precision, device, pair)

    batches = batches_of(torch.arange(model.y_embedder.num_classes), settings["per_class"], settings["batch_size"])
    start = time.perf_counter()
    pictures = [codec.decode(sampled(labels, numbers)).cpu() for labels, numbers in batches]
    return torch.cat(pictures), torch.cat([labels for labels, _ in batches]), time.perf_counter() - start


def compared(images: Tensor, labels: Tensor, evaluation: Job) -> dict[str, float]:
    """Distance of pictures from real test pictures, and the share that the first judge's head names."""
    judging = evaluation.judges[0]
    features, real = judge.network(judging)(images).numpy(), Real.load(judging.path)
    supers = np.zeros(len(real.head.biases), int)
    named = scores.hits(features, labels.numpy(), real, supers)["class_accuracy"].mean()
    return {"distance": frechet_distance(features, real.features), "named": float(named)}


def main() -> None:
    """Print a row for each sampler and, with --json, write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", help="whose runs of the study are sampled from")
    parser.add_argument("--study", type=Path, default=Path("params.yaml"))
    parser.add_argument("--per-class", type=int, help="pictures of each class; the study's where left out")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    plan, device = Plan(load(given.study)), device_here()
    processes.find("ddpm").unipc = unipc
    jobs = judged(given.method, plan)
    settings = jobs[0].inputs["sample"].settings
    settings = settings | {"per_class": given.per_class or settings["per_class"]}
    kept = ("guidance", "scale", "guided_channels", "guidance_interval", "per_class", "batch_size")
    found = {
        "machine": machine(device),
        "method": given.method,
        "seeds": [job.inputs["sample"].settings["seed"] for job in jobs],
        "settings": {key: settings[key] for key in kept},
        "rows": [],
    }
    for sampler, steps, every, between in SAMPLERS[plan.study.base.process]:
        each, seconds, values = 2 if sampler == "heun" else 1, 0.0, []
        for job in jobs:
            own = {"sampler": sampler, "steps": steps, "per_class": settings["per_class"]}
            images, labels, took = drawn(
                job.inputs["sample"], job.inputs["sample"].settings | own, every, between, device
            )
            seconds += took
            values.append(compared(images, labels, job))
        row = {"sampler": sampler, "steps": steps, "evaluated": each * -(-steps // every), "between": between}
        row["seconds"] = seconds
        first = found["rows"][0] if found["rows"] else None
        for name in SCORES:
            row[name] = summary([value[name] for value in values], first and first[name]["values"])
        found["rows"].append(row)
        print(row, flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def summary(values: list[float], first: list[float] | None) -> dict[str, float | list[float]]:
    """A score by seed, its mean, and its difference from the first row's with half a 95 % interval (Student's)."""
    found = {"values": values, "mean": float(np.mean(values))}
    if first is None or len(values) < 2:
        return found
    differences = paired.summary(np.subtract(values, first))
    return found | {"difference": differences["mean"], "half": differences["half"]}


if __name__ == "__main__":
    main()
