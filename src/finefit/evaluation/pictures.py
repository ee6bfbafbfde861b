"""Sets of pictures of any number: in memory where they fit, else read when they are asked for.

`FINEFIT_HELD_MB` says how many megabytes of pictures of one split a job may hold; 1,000 where it is not set. What is
not held is read, cropped and scaled anew whenever it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from finefit.hierarchy.index import read_index, read_pictures
from finefit.jobs import readers
from finefit.jobs.arrays import OnDisk
from finefit.jobs.job import Job
from finefit.metrics.probe import Images

HELD_MB = 1000


@dataclass(frozen=True)
class Pictures:
    """So many pictures that are read when asked for: `pictures[start:stop]`, `pictures[row_numbers]`, as tensors.

    `read` gives those of some row numbers, uint8 `[k, r, r, 3]`.
    """

    count: int
    read: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, rows: slice | Tensor | np.ndarray) -> Tensor:
        """Some of the pictures, uint8 `[k, r, r, 3]`."""
        numbers = np.arange(self.count)[rows] if isinstance(rows, slice) else np.asarray(rows)
        return torch.from_numpy(self.read(numbers))


def held_bytes() -> int:
    """Bytes of pictures that a job may hold of one split.

    Raises:
        ValueError: the environment does not say a number.
    """
    given_megabytes = os.environ.get("FINEFIT_HELD_MB", str(HELD_MB))
    if not given_megabytes.isdigit():
        raise ValueError(f"FINEFIT_HELD_MB: {given_megabytes!r} is no number of megabytes; unset it for {HELD_MB}")
    return 10**6 * int(given_megabytes)


def of_split(data: Job, split: str, resolution: int) -> tuple[Images, Tensor]:
    """All pictures of a split, uint8 `[n, r, r, 3]`, and their class ids, int64 `[n]`."""
    rows = read_index(data, split)
    labels = torch.tensor(rows["class_id"].to_numpy(copy=True))
    if len(rows) * 3 * resolution**2 <= held_bytes():
        return torch.from_numpy(read_pictures(data, rows, resolution)), labels
    return Pictures(len(rows), lambda numbers: read_pictures(data, rows.iloc[numbers], resolution)), labels


def of_samples(sample: Job) -> tuple[Images, Tensor]:
    """Pictures of a "sample" job, uint8 `[n, r, r, 3]`, read when asked for, and their class ids, int64 `[n]`."""
    images = OnDisk(sample.path / "images.npy")
    return Pictures(len(images), images.__getitem__), torch.from_numpy(readers.array(sample.path / "labels.npy"))


def chosen(*parts: tuple[Images | np.ndarray, Tensor | np.ndarray]) -> Pictures:
    """The given rows of several sets, one set after the other, read when asked for."""
    sources = np.concatenate([np.full(len(rows), number) for number, (_, rows) in enumerate(parts)])
    places = np.concatenate([np.asarray(rows) for _, rows in parts])

    def read(numbers: np.ndarray) -> np.ndarray:
        of_each = [np.flatnonzero(sources[numbers] == number) for number in range(len(parts))]
        read = [np.asarray(images[places[numbers[mine]]]) for (images, _), mine in zip(parts, of_each, strict=True)]
        found = np.empty((len(numbers), *read[0].shape[1:]), np.uint8)
        for mine, pictures in zip(of_each, read, strict=True):
            found[mine] = pictures
        return found

    return Pictures(len(places), read)
