"""Reading a pack of latents (see `finefit.latents`): shuffled rows by positioned reads, in the memory of a batch.

A memory map would do it too, but each of its first touches of a page is a fault and every page touched counts as this
process's: on a pack of 50,000 pictures it gave a third of the samples per second, and grew with the pack.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor

from finefit.sources import checksum


class Shard(NamedTuple):
    """An open .npy file, and where its numbers begin."""

    file: BinaryIO
    offset: int


class Pack:
    """A pack opened for reading; nothing is loaded until rows are asked for."""

    def __init__(self, folder: Path):
        index = json.loads((folder / "index.json").read_text())
        self.folder, self.count, self.shard_rows = folder, index["count"], index["shard_rows"]
        self.labels = torch.from_numpy(np.load(folder / "labels.npy"))
        self.means, self.deviations = self.open("mean-*.npy"), self.open("deviation-*.npy")
        self.shape = np.load(folder / "mean-00000.npy", mmap_mode="r").shape[2:]

    def open(self, pattern: str) -> list[Shard]:
        """The shards of one kind, in order.

        Raises:
            ValueError: one is damaged or shorter than its head says.
        """
        shards = []
        for path in sorted(self.folder.glob(pattern)):
            try:
                offset = np.load(path, mmap_mode="r").offset
            except ValueError as error:
                raise ValueError(f"{path}: damaged ({error}); delete {self.folder} and repeat") from None
            shards.append(Shard(open(path, "rb", buffering=0), offset))
        return shards

    def sample(self, rows: np.ndarray, flips: np.ndarray, noise: Tensor) -> Tensor:
        """Posterior samples of the given rows and flips (0 or 1): float32 `[n, c, h, w]`, `noise` of the same shape."""
        mean = torch.from_numpy(self.gather(self.means, rows, flips)).float()
        if not self.deviations:
            return mean
        return torch.from_numpy(self.gather(self.deviations, rows, flips)).float().mul_(noise).add_(mean)

    def gather(self, shards: list[Shard], rows: np.ndarray, flips: np.ndarray) -> np.ndarray:
        """Chosen views out of the shards, in the order asked, float16 `[n, c, h, w]`.

        Raises:
            ValueError: a shard is shorter than it should be.
        """
        out = np.empty((len(rows), *self.shape), np.float16)
        numbers, within = np.divmod(rows, self.shard_rows)
        for view, number, place in zip(out, numbers.tolist(), (within * 2 + flips).tolist(), strict=True):
            shard = shards[number]
            if os.preadv(shard.file.fileno(), [view], shard.offset + place * view.nbytes) != view.nbytes:
                raise ValueError(f"{shard.file.name}: damaged (too short); delete {self.folder} and repeat")
        return out

    def verify(self, shard: int) -> None:
        """Compare one shard's files with the checksums in the artifact's provenance.

        Raises:
            ValueError: a file was altered.
        """
        recorded = json.loads((self.folder / "provenance.json").read_text())["files"]
        for path in sorted(self.folder.glob(f"*-{shard:05d}.npy")):
            if checksum(path) != recorded[path.name]:
                raise ValueError(f"{path}: altered since it was published; delete {self.folder} and repeat")
