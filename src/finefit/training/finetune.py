"""Phase "finetune": one method on one data set, resolution and seed; from base and latents to a delta."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch

from finefit import objectives, processes
from finefit.deltas.beside import share
from finefit.deltas.delta import save_delta
from finefit.deltas.network import described, network, unconditional
from finefit.jobs import ranks, readers
from finefit.jobs.devices import device_here
from finefit.latents.pack import Pack
from finefit.models.checkpoint import base_of
from finefit.models.dit import DiT
from finefit.objectives import plain
from finefit.training.learning_rate import peak_rates
from finefit.training.train import train

if TYPE_CHECKING:
    from finefit.jobs.job import Job


def build(job: Job, out: Path, scratch: Path) -> None:
    """Fine-tune on all GPUs that the job was given, or on the CPU, and write what `fine_tune` says."""
    ranks.launch(fine_tune, ranks.wanted(), job, out, scratch)


def fine_tune(job: Job, out: Path, scratch: Path) -> None:
    """Fine-tune and write the averaged delta, the delta of the last step, losses and counts."""
    device = device_here()
    pack = Pack(job.inputs["latents"].path)
    base, base_digest = base_of(job)
    run = described(job, pack)
    model = network(run, base)
    objective, untouched = objective_of(job, model, device)
    model = model.to(device)
    method = SimpleNamespace(**job.settings["method_settings"])
    rates = peak_rates(model, method.lr, method.lr_multipliers)
    settings = SimpleNamespace(**job.settings["train"])
    average, record = train(
        model,
        rates,
        pack,
        settings,
        method.guidance,
        job.settings["seed"],
        scratch / "state.pt",
        device,
        objective,
        untouched,
    )
    if ranks.number() > 0:
        return
    last = {name: parameter for name, parameter in model.named_parameters() if name in model.trained}
    save_delta(out / "delta.safetensors", average, run, base_digest)
    save_delta(out / "delta-last.safetensors", last, run, base_digest)
    with open(out / "losses.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["step", "loss"])
        table.writeheader()
        table.writerows(record)
    trained = sum(parameter.numel() for parameter in last.values())
    total = sum(parameter.numel() for parameter in model.parameters())
    counts = {
        "trained_parameters": trained,
        "total_parameters": total,
        "trained_share": trained / total,
        "delta_bytes": (out / "delta.safetensors").stat().st_size,
    }
    (out / "run.json").write_text(json.dumps(counts, indent=1) + "\n")


def objective_of(job: Job, model: DiT, device: str) -> tuple[plain.Objective, DiT | None]:
    """What a run minimises, and the untouched base on the device where that takes part.

    Args:
        model: the run's network, not yet moved: the base shares its frozen tensors.

    Raises:
        ValueError: the base has no null row, or the method trains none, and the objective needs it.
    """
    asked = job.settings.get("objective", {"name": "plain"})
    module = objectives.find(asked["name"])
    settings = module.Settings(**{key: value for key, value in asked.items() if key != "name"})
    source = None
    if "source" in job.inputs:
        source = torch.from_numpy(readers.array(job.inputs["source"].path / "latents.npy")).float().to(device)
    process = processes.of(job.settings["network"])
    material = objectives.Material(job.settings["train"]["steps"], model.y_embedder.null_row, source, process)
    untouched = None
    if settings.NEEDS_BASE:
        base = job.inputs["base"]
        untouched = unconditional(base.path / "base.safetensors", model.shape, base.settings.get("null_row", "last"))
        if untouched is None:
            raise ValueError(f"{base.path}: was trained without a null row, which objective {asked['name']} needs")
        share(model, untouched)
        untouched.requires_grad_(False).to(device)
    return module.Objective(settings, material), untouched
