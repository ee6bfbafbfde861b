"""The pictures of a data set's split as tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from finefit.hierarchy.index import read_index, read_pictures
from finefit.jobs.job import Job


def of_split(data: Job, split: str, resolution: int) -> tuple[Tensor, Tensor]:
    """All pictures of a split, uint8 `[n, r, r, 3]`, and their class ids, int64 `[n]`."""
    rows = read_index(data, split)
    return torch.from_numpy(read_pictures(data, rows, resolution)), torch.tensor(rows["class_id"].to_numpy(copy=True))
