"""A run's delta: what its method trained or added, and nothing else, in one safetensors file.

One base in memory serves any number of deltas, of any methods and data sets: each `load_delta` on the same tensors
gives a network that shares them, and swapping is calling one network instead of another.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from finefit import processes
from finefit.deltas.network import network
from finefit.jobs import tensors as files
from finefit.models.checkpoint import base_of
from finefit.models.dit import DiT

if TYPE_CHECKING:
    from finefit.jobs.job import Job


def save_delta(file: Path, tensors: dict[str, Tensor], run: dict, base_digest: str | None) -> None:
    """Write a delta with the run's description and the digest of its base (one entry: safetensors shuffles several)."""
    metadata = {"finefit": json.dumps({"run": run, "base": base_digest})}
    files.save(tensors, file, metadata)


def load_delta(file: Path, base: dict[str, Tensor] | None, base_digest: str | None) -> DiT:
    """The fine-tuned network that a delta and its base (`checkpoint.read_base`) make.

    Raises:
        ValueError: the file is no delta, is cut off, or belongs to another base, or its tensors are not the method's.
    """
    with files.opened(file, what="no delta, or cut off", remedy=f"delete {file.parent} and repeat") as opened:
        metadata = json.loads((opened.metadata() or {})["finefit"])
        run, base_here = metadata["run"], metadata["base"]
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    if base_here != base_digest:
        process = run["network"].get("process", processes.DEFAULT)
        raise ValueError(
            f"{file}: made on base {base_here}, not on {base_digest}; a delta of process {process} fits its own "
            "base only"
        )
    model = network(run, base)
    if model.trained != tensors.keys():
        raise ValueError(
            f"{file}: its tensors are not what the method trains: {sorted(model.trained ^ tensors.keys())[:5]}"
        )
    model.load_state_dict(tensors, strict=False)
    return model


def load_run(run: Job) -> DiT:
    """The network that a published run ended with, averaged over its training."""
    return load_delta(run.path / "delta.safetensors", *base_of(run))
