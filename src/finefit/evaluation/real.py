"""What a judge sees in real pictures: made once, and compared with every set of samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finefit.jobs import arrays, readers
from finefit.jobs.arrays import OnDisk, Rows
from finefit.metrics import head, manifold
from finefit.metrics.head import Head


@dataclass(frozen=True)
class Real:
    """What a judge sees in real pictures: test features `[m, d]` and labels `[m]`, training features, and its head.

    `gaps` `[m]` are the test pictures' distances to their nearest training pictures (`manifold.gaps`).
    """

    features: Rows
    labels: np.ndarray
    train: Rows
    head: Head
    gaps: np.ndarray

    def save(self, folder: Path) -> None:
        """Write `features.npy`, `labels.npy`, `train-features.npy`, `gaps.npy` and `head.npz`."""
        for name, array in (("features", self.features), ("train-features", self.train)):
            arrays.save(array if isinstance(array, OnDisk) else array[:], folder / f"{name}.npy")
        np.save(folder / "labels.npy", self.labels)
        np.save(folder / "gaps.npy", self.gaps)
        head.save(self.head, folder / "head.npz")

    @classmethod
    def load(cls, folder: Path) -> Real:
        """What `save` wrote; an artifact of an earlier version has no gaps, which are then taken here."""
        features, train = (OnDisk(folder / f"{name}.npy") for name in ("features", "train-features"))
        kept = folder / "gaps.npy"
        gaps = readers.array(kept) if kept.exists() else manifold.gaps(features, train)
        return cls(features, readers.array(folder / "labels.npy"), train, head.load(folder / "head.npz"), gaps)
