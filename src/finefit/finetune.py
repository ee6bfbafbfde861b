"""Phase "finetune": one method on one data set, resolution and seed; from base and latents to a delta."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch

from finefit import ranks
from finefit.devices import device_here
from finefit.models.checkpoint import base_of
from finefit.models.delta import save_delta
from finefit.models.dit import DiT
from finefit.models.network import network
from finefit.pack import Pack
from finefit.train import train

if TYPE_CHECKING:
    from finefit.plan import Job


def build(job: Job, out: Path, scratch: Path) -> None:
    """Fine-tune on all GPUs that the job was given, or on the CPU, and write what `fine_tune` says."""
    ranks.launch(fine_tune, max(1, torch.cuda.device_count()), job, out, scratch)


def fine_tune(job: Job, out: Path, scratch: Path) -> None:
    """Fine-tune and write the averaged delta, the delta of the last step, losses and counts."""
    device = device_here()
    pack = Pack(job.inputs["latents"].path)
    base, base_digest = base_of(job)
    run = described(job, pack)
    model = network(run, base).to(device)
    method = SimpleNamespace(**job.settings["method_settings"])
    rates = learning_rates(model, method.lr, method.lr_multipliers)
    settings = SimpleNamespace(**job.settings["train"])
    average, record = train(
        model, rates, pack, settings, method.guidance, job.settings["seed"], scratch / "state.pt", device
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


def described(job: Job, pack: Pack) -> dict:
    """A run's settings with what its data adds to them: all that `network` asks."""
    from finefit.taxonomy import superclass_of  # needs pandas, which a measuring machine may not have

    return job.settings | {
        "num_classes": int(pack.labels.max()) + 1,
        "superclass_of": superclass_of(job.inputs["hierarchy"]).tolist() if "hierarchy" in job.inputs else None,
        "latent_shape": list(pack.shape),
    }


def learning_rates(model: DiT, lr: float, multipliers: dict[str, float]) -> dict[str, float]:
    """Peak learning rate of each trained parameter by name; the first key found in a name decides its factor.

    Raises:
        ValueError: a key of `multipliers` is found in no trained parameter's name.
    """
    for key in multipliers:
        if not any(key in name for name in model.trained):
            raise ValueError(f"lr_multipliers.{key}: no trained parameter's name contains it")
    return {
        name: lr * next((factor for key, factor in multipliers.items() if key in name), 1.0) for name in model.trained
    }
