"""The pictures of a data set's split as tensors, however many they are."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from finefit.data.pictures import gathered
from finefit.hierarchy.index import read_index, read_pictures
from finefit.jobs.job import Job

AT_ONCE = 1024  # pictures


def of_split(data: Job, split: str, resolution: int, scratch: Path) -> tuple[Tensor, Tensor]:
    """All pictures of a split, uint8 `[n, r, r, 3]`, and their class ids, int64 `[n]`; many are kept in `scratch`."""
    rows = read_index(data, split)
    parts = (
        read_pictures(data, rows.iloc[start : start + AT_ONCE], resolution) for start in range(0, len(rows), AT_ONCE)
    )
    images = gathered(parts, len(rows), resolution, scratch / f"{split}.pictures")
    return torch.from_numpy(images), torch.tensor(rows["class_id"].to_numpy(copy=True))
