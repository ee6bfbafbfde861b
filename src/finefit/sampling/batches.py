"""Batches of pictures to draw: each is kept as it comes, so that a stopped job goes on, and all become one file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from finefit.jobs import borders, ranks, readers, stopping
from finefit.jobs.arrays import append
from finefit.jobs.progress import earlier_seconds, keep_seconds, progress


def batches_of(classes: Tensor, per_class: int, size: int) -> list[tuple[Tensor, Tensor]]:
    """Labels and numbers, int64 `[<= size]` each, of `per_class` pictures of each class, class after class."""
    labels = classes.repeat_interleave(per_class)
    numbers = torch.arange(per_class).repeat(len(classes))
    return list(zip(labels.split(size), numbers.split(size), strict=True))


def keep_batches(
    batches: list[tuple[Tensor, Tensor]], draw: Callable[[Tensor, Tensor, int], dict[str, np.ndarray]], scratch: Path
) -> None:
    """Write what `draw(labels, numbers, which)` gives, and the labels, for every batch that is not yet in `scratch`,
    each rank every so many.

    Raises:
        ToBeContinued: the job was told to stop; finished batches are kept.
    """
    start = time.monotonic() - earlier_seconds(scratch)
    for first in progress(range(0, len(batches), ranks.count()), "sampling batches"):
        mine = first + ranks.number()
        path = scratch / f"batch-{mine:06d}.npz"
        if mine < len(batches) and not whole(path):
            labels, numbers = batches[mine]
            made = draw(labels, numbers, mine) | {"labels": labels.numpy()}
            with open(path.with_suffix(".partial"), "wb") as file:
                np.savez(file, **made)
            path.with_suffix(".partial").rename(path)
        if ranks.number() == 0:
            keep_seconds(scratch, time.monotonic() - start)
        if ranks.any_rank(stopping.asked()):
            raise stopping.ToBeContinued


def whole(path: Path) -> bool:
    """Whether a batch is there; one that was cut off is told and taken away."""
    if not path.exists():
        return False
    try:
        with borders.reading(path, "cut off", "it is sampled anew"), np.load(path) as batch:
            return len({len(batch[name]) for name in batch.files}) == 1
    except ValueError as error:
        print(error, file=sys.stderr)
        path.unlink()
        return False


def join(scratch: Path, name: str, out: Path) -> None:
    """Write an array of all kept batches as one file, a batch at a time: all may be more than memory holds."""
    paths = sorted(scratch.glob("batch-*.npz"))
    count = 0
    for path in paths:
        with readers.arrays(path) as batch:
            count += len(batch["labels"])  # the least of its arrays
    for number, path in enumerate(paths):
        with readers.arrays(path) as batch:
            append(out / f"{name}.npy", batch[name], count, first=number == 0)
