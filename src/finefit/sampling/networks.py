"""The networks that a "sample" job asks: the run's own, and beside it the one that guidance points away from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from finefit.deltas.beside import beside
from finefit.deltas.delta import load_run
from finefit.deltas.network import unconditional
from finefit.jobs.devices import store_frozen_as_bfloat16, uses_bfloat16
from finefit.models.dit import DiT

if TYPE_CHECKING:
    from finefit.jobs.job import Job


def load_to_sample(job: Job, device: str) -> tuple[DiT, DiT | None, str]:
    """What a "sample" job asks, frozen on the device: its run's network; that beside the one to guide away from, where
    it is another one; and the precision that the run was trained in.

    Raises:
        ValueError: a file does not hold what it should, or the base has no null row to guide away from.
    """
    run, away = job.inputs["run"], job.settings["guidance"]
    model, pair, precision = load_run(run), None, run.settings["train"]["precision"]
    if away == "base":
        base = run.inputs["base"]
        pair = beside_base(model, base.path / "base.safetensors", base.settings.get("null_row", "last"))
        if pair is None:
            raise ValueError(f"{base.path}: was trained without a null row; leave guidance base out of the study")
    elif away == "auto":
        pair = beside(model, load_run(job.inputs["other"]))
    return frozen(model, precision, device), pair and frozen(pair, precision, device), precision


def beside_base(model: DiT, file: Path, null: int | str) -> DiT | None:
    """A fine-tuned network beside the untouched base at its null row; None where it has no such row.

    Args:
        file, null: as `unconditional` takes them.
    """
    base = unconditional(file, model.shape, null)
    return base and beside(model, base)


def frozen(model: DiT, precision: str, device: str) -> DiT:
    """The network on the device, with no gradients and in as few bytes as the precision allows."""
    model.requires_grad_(False).to(device)
    if uses_bfloat16(precision, device):
        store_frozen_as_bfloat16(model)
    return model
