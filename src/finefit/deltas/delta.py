"""A run's delta: what its method trained or added, and nothing else, in one safetensors file.

One base in memory serves any number of deltas, of any methods and data sets: each `load_delta` on the same tensors
gives a network that shares them, and swapping is calling one network instead of another.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from finefit import processes
from finefit.deltas.network import network
from finefit.models.checkpoint import base_of
from finefit.models.dit import DiT

if TYPE_CHECKING:
    from finefit.jobs.job import Job


def save_delta(file: Path, tensors: dict[str, Tensor], run: dict, base_digest: str | None) -> None:
    """Write a delta with the run's description and the digest of its base (one entry: safetensors shuffles several)."""
    metadata = {"finefit": json.dumps({"run": run, "base": base_digest})}
    save_file({name: value.detach().cpu().contiguous() for name, value in sorted(tensors.items())}, file, metadata)


def load_delta(file: Path, base: dict[str, Tensor] | None, base_digest: str | None) -> DiT:
    """The fine-tuned network that a delta and its base (`checkpoint.read_base`) make.

    Raises:
        ValueError: the file is no delta, is cut off, or belongs to another base, or its tensors are not the method's.
    """
    try:
        with safe_open(file, "pt") as opened:
            metadata = json.loads((opened.metadata() or {})["finefit"])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{file}: no delta, or cut off ({error}); delete {file.parent} and repeat") from None
    if metadata["base"] != base_digest:
        process = metadata["run"]["network"].get("process", processes.DEFAULT)
        raise ValueError(
            f"{file}: made on base {metadata['base']}, not on {base_digest}; a delta of process {process} fits its own "
            "base only"
        )
    model = network(metadata["run"], base)
    if model.trained != tensors.keys():
        raise ValueError(
            f"{file}: its tensors are not what the method trains: {sorted(model.trained ^ tensors.keys())[:5]}"
        )
    model.load_state_dict(tensors, strict=False)
    return model


def load_run(run: Job) -> DiT:
    """The network that a published run ended with, averaged over its training."""
    return load_delta(run.path / "delta.safetensors", *base_of(run))
