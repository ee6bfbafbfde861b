"""Runs and published checkpoints, both ways.

DiT's layout has a class table of classes and a null row. FineDiffusion's has LayerNorm's trained scale and shift, and a
class table of classes and superclasses, the superclasses by falling number of classes (its eleven of iNaturalist are).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from finefit.deltas.delta import load_run, save_delta
from finefit.deltas.merge import merged
from finefit.deltas.network import add_norm_affine, network
from finefit.jobs import tensors
from finefit.jobs.whole import whole
from finefit.latents.pack import Pack
from finefit.models import checkpoint
from finefit.models.dit import DiT
from finefit.models.shapes import CLASS_TABLE

if TYPE_CHECKING:
    from finefit.jobs.job import Job

ROUNDING = 1e-4  # how far, of a tensor's largest value, frozen weights drift in a running average
HALVES = (torch.bfloat16, torch.float16)  # what people cast checkpoints to


def export_run(run: Job, file: Path) -> str:
    """Write a run's whole network to `file` in the published layout that suits it; says what was written."""
    state = published_state(load_run(run))
    with whole(file) as partial:
        if file.suffix == ".safetensors":
            tensors.save(state, partial)
        else:
            torch.save({"ema": state}, partial)
    return checkpoint.described(checkpoint.shape_of(state, file), state)


def published_state(model: DiT) -> dict[str, Tensor]:
    """A network's tensors in the published layout that suits it.

    Raises:
        ValueError: neither layout can hold it.
    """
    table = model.y_embedder
    tiered = table.superclass_of is not None
    if tiered and table.null_row is not None:
        raise ValueError("neither published layout has superclass rows and a null row; keep base and delta")
    model = merged(model, keep_norms=tiered)
    if tiered and model.final_layer.norm_final.weight is None:
        add_norm_affine(model)
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    if tiered:
        rows = state[CLASS_TABLE]
        superclasses = table.num_classes + released_order(table.superclass_of)
        state[CLASS_TABLE] = torch.cat([rows[: table.num_classes], rows[superclasses]])
    return state


def import_checkpoint(file: Path, run: Job, delta: Path) -> str:
    """Write what a published checkpoint trained as the delta of `run`, whose method, base and data it shares.

    Returns what was found.

    Raises:
        ValueError: base or data of the run are not there yet, or the checkpoint is not such a run's.
    """
    from finefit.deltas.network import described

    for job in run.inputs.values():
        if not job.marker.exists():
            raise ValueError(f"{job.path}: needed to import as {run.path} and not made yet; run its phase first")
    weights, base_digest = checkpoint.base_of(run)
    description = described(run, Pack(run.inputs["latents"].path))
    state = checkpoint.read(file)
    shape, rounded = checkpoint.shape_of(state, file), rounding(state)
    save_delta(delta, trained_part(state, network(description, weights), file), description, base_digest)
    remark = f"; rounded to {str(rounded).removeprefix('torch.')}, as is what was trained" if rounded else ""
    return checkpoint.described(shape, state) + remark


def rounding(state: dict[str, Tensor]) -> torch.dtype | None:
    """The half precision that all numbers of a state were rounded to, also where they were cast back; None without."""
    values = [value for value in state.values() if value.is_floating_point()]
    return next((half for half in HALVES if all(torch.equal(v.float(), v.to(half).float()) for v in values)), None)


def trained_part(state: dict[str, Tensor], model: DiT, file: Path) -> dict[str, Tensor]:
    """Those tensors of a published state that `model` trains, superclass rows in our order.

    Raises:
        ValueError: tensors differ in name or shape, or frozen ones from the base.
    """
    own = model.state_dict()
    faults = checkpoint.mismatches(own, state)
    half = rounding(state)
    allowed = ROUNDING + (torch.finfo(half).eps if half else 0.0)  # an average that drifted is rounded to a neighbour
    for name in (own.keys() & state.keys()) - model.trained:
        if own[name].shape == state[name].shape:
            drift = (own[name] - state[name].float()).abs().max() / own[name].abs().max().clamp(min=1e-12)
            faults += [f"{name} is not the base's, and the method keeps it"] if drift > allowed else []
    if faults:
        raise ValueError(f"{file}: is no checkpoint of this run: {'; '.join(sorted(faults)[:5])}")
    taken = {name: state[name].float() for name in model.trained}
    table = model.y_embedder
    if table.summed:
        raise ValueError(f"{file}: a published class table is no sum; import as a run with embedder: tiered or flat")
    if table.superclass_of is not None and table.null_row is None:
        rows = taken[CLASS_TABLE].clone()
        superclasses = table.num_classes + released_order(table.superclass_of)
        rows[superclasses] = taken[CLASS_TABLE][table.num_classes :]
        taken[CLASS_TABLE] = rows
    return taken


def released_order(superclass_of: Tensor) -> Tensor:
    """Our superclass numbers in FineDiffusion's order: by falling number of classes, int64 `[superclasses]`."""
    return torch.argsort(torch.bincount(superclass_of), descending=True, stable=True)
