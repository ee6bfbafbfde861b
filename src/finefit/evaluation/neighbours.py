"""The samples that lie nearest to training pictures: what a network has learned by heart would show here."""

from __future__ import annotations

import numpy as np

from finefit.hierarchy.index import read_index, read_pictures
from finefit.jobs.arrays import Rows
from finefit.jobs.job import Job
from finefit.metrics import manifold
from finefit.metrics.probe import Images

NEIGHBOURS = 8  # samples that are kept


def nearest_training(
    features: Rows, gaps: np.ndarray, train: Rows, images: Images, data: Job, judging: Job
) -> dict[str, np.ndarray]:
    """The samples nearest to training pictures, with those: `samples`, `train` `[k, r, r, 3]`, `distances` `[k]`."""
    rows = gaps.argsort(kind="stable")[: min(NEIGHBOURS, np.isfinite(gaps).sum())]  # nan comes last
    places = manifold.nearest_rows(features[rows], train)
    copied = read_pictures(data, read_index(data, "train").iloc[places], judging.settings["resolution"])
    return {"samples": images[rows].numpy(), "train": copied, "distances": gaps[rows]}
