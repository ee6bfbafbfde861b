"""Samples beside the training pictures that lie nearest to them: what a network has learned, or learned by heart."""

from __future__ import annotations

import numpy as np

from finefit.hierarchy.index import read_index, read_pictures
from finefit.jobs.arrays import Rows
from finefit.jobs.job import Job
from finefit.jobs.trial import few_classes
from finefit.metrics import manifold
from finefit.metrics.probe import Images

NEIGHBOURS = 8  # samples that are kept
FIRSTS = 16  # classes whose first sample is kept


def nearest_training(
    features: Rows, gaps: np.ndarray, train: Rows, images: Images, data: Job, judging: Job
) -> dict[str, np.ndarray]:
    """The samples nearest to training pictures, with those: `samples`, `train` `[k, r, r, 3]`, `distances` `[k]`."""
    rows = gaps.argsort(kind="stable")[: min(NEIGHBOURS, np.isfinite(gaps).sum())]  # nan comes last
    places = manifold.nearest_rows(features[rows], train)
    copied = read_pictures(data, read_index(data, "train").iloc[places], judging.settings["resolution"])
    return {"samples": images[rows].numpy(), "train": copied, "distances": gaps[rows]}


def firsts(
    features: Rows, labels: np.ndarray, train: Rows, images: Images, data: Job, judging: Job
) -> dict[str, np.ndarray]:
    """The first sample of some classes, from the first to the last, and the training picture nearest to it.

    Nothing is chosen by what came out: `first_classes` `[k]`, `first_samples` and `first_train` `[k, r, r, 3]`.
    """
    present, places = np.unique(labels, return_index=True)
    some = few_classes(len(present), min(FIRSTS, len(present)))
    rows = places[some]
    nearest = manifold.nearest_rows(features[rows], train)
    shown = read_pictures(data, read_index(data, "train").iloc[nearest], judging.settings["resolution"])
    return {"first_classes": present[some], "first_samples": images[rows].numpy(), "first_train": shown}
