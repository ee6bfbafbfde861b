"""Phase "finetune": one method on one data set, resolution and seed; from base and latents to a delta."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from finefit.deltas.delta import save_delta
from finefit.deltas.network import described, network
from finefit.jobs import ranks
from finefit.jobs.devices import device_here
from finefit.latents.pack import Pack
from finefit.models.checkpoint import base_of
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
    model = network(run, base).to(device)
    method = SimpleNamespace(**job.settings["method_settings"])
    rates = peak_rates(model, method.lr, method.lr_multipliers)
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
