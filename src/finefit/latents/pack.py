"""Reading a pack of latents (see `encode.py`): shuffled rows by positioned reads, in the memory of a batch.

A memory map would do it too, but each of its first touches of a page is a fault and every page touched counts as this
process's: on a pack of 50,000 pictures it gave a third of the samples per second, and grew with the pack. One read
brings a view's mean and deviation, which lie side by side, and a few views at a time become samples while they are
still in the processor's cache.
"""

from __future__ import annotations

import math
from io import FileIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from finefit.jobs import readers
from finefit.jobs.checksums import checksum

VIEWS_AT_ONCE = 32


class Shard(NamedTuple):
    """An open .npy file, the shape of a picture in it, `[2, parts, c, h, w]`, and where its numbers begin."""

    file: FileIO
    shape: tuple[int, ...]
    offset: int


class Pack:
    """A pack opened for reading; nothing is loaded until rows are asked for.

    Raises:
        ValueError: a shard is missing, or damaged.
    """

    def __init__(self, folder: Path):
        index = readers.content(folder / "index.json")
        self.folder, self.count, self.shard_rows = folder, index["count"], index["shard_rows"]
        self.labels = torch.from_numpy(readers.array(folder / "labels.npy"))
        self.shards = [self.open(path) for path in sorted(folder.glob("latents-*.npy"))]
        if len(self.shards) != (wanted := -(-self.count // self.shard_rows)):
            raise ValueError(f"{folder}: {len(self.shards)} shards instead of {wanted}; delete it and repeat")
        self.offsets = np.array([shard.offset for shard in self.shards])
        self.parts, *self.shape = self.shards[0].shape[1:]
        self.view_bytes = np.dtype(np.float16).itemsize * self.parts * math.prod(self.shape)

    def open(self, path: Path) -> Shard:
        """A shard.

        Raises:
            ValueError: it is damaged or shorter than its head says.
        """
        content = readers.array(path, mapped=True)
        return Shard(FileIO(path), content.shape[1:], content.offset)  # type: ignore[attr-defined]  # of a memory map

    def sample(self, rows: np.ndarray, flips: np.ndarray, noise: Tensor) -> Tensor:
        """Posterior samples of the given rows and flips (0 or 1): float32 `[n, c, h, w]`, `noise` of the same shape."""
        samples = torch.empty(len(rows), *self.shape)
        stored = torch.empty(min(len(rows), VIEWS_AT_ONCE), self.parts, *self.shape, dtype=torch.float16)
        single, views = torch.empty(stored.shape), [memoryview(view) for view in stored.numpy()]
        numbers, within = np.divmod(rows, self.shard_rows)
        files = [self.shards[number].file for number in numbers]
        places = (self.offsets[numbers] + (within * 2 + flips) * self.view_bytes).tolist()
        for start in range(0, len(rows), VIEWS_AT_ONCE):
            some, count = slice(start, start + VIEWS_AT_ONCE), len(files[start : start + VIEWS_AT_ONCE])
            self.read(files[some], places[some], views)
            mean, *deviation = single[:count].copy_(stored[:count]).unbind(1)
            if deviation:  # not addcmul, which rounds once or twice as the processor has it
                torch.add(mean, deviation[0].mul_(noise[some]), out=samples[some])
            else:
                samples[some] = mean
        return samples

    def read(self, files: list[FileIO], places: list[int], views: list[memoryview]) -> None:
        """Read a view from each file and place (in bytes), into the first of `views`.

        Raises:
            ValueError: a shard is shorter than it should be.
        """
        for file, place, view in zip(files, places, views, strict=False):
            file.seek(place)  # two calls, since macOS has no preadv
            if file.readinto(view) != self.view_bytes:
                raise ValueError(f"{file.name}: damaged (too short); delete {self.folder} and repeat")

    def verify(self, shard: int) -> None:
        """Compare one shard with the checksum in the artifact's provenance.

        Raises:
            ValueError: it was altered.
        """
        path = self.folder / f"latents-{shard:05d}.npy"
        recorded = readers.content(self.folder / "provenance.json")["files"]
        if checksum(path) != recorded[path.name]:
            raise ValueError(f"{path}: altered since it was published; delete {self.folder} and repeat")
