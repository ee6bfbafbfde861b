"""Features to scores: what one judge says of a set of pictures beside real ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from finefit.metrics import TooFew, head
from finefit.metrics.frechet import frechet_distance
from finefit.metrics.head import Head
from finefit.metrics.kernel import kernel_distance
from finefit.metrics.manifold import density_coverage, memorised_share, precision_recall

Measures = dict[str, Callable[[], float]]


@dataclass(frozen=True)
class Real:
    """What a judge sees in real pictures: test features `[m, d]` and labels `[m]`, training features, and its head."""

    features: np.ndarray
    labels: np.ndarray
    train: np.ndarray
    head: Head

    def save(self, folder: Path) -> None:
        """Write `features.npy`, `labels.npy`, `train-features.npy` and `head.npz`."""
        for name, array in (("features", self.features), ("labels", self.labels), ("train-features", self.train)):
            np.save(folder / f"{name}.npy", array)
        head.save(self.head, folder / "head.npz")


def load(folder: Path) -> Real:
    """What `Real.save` wrote."""
    features, labels, train = (np.load(folder / f"{name}.npy") for name in ("features", "labels", "train-features"))
    return Real(features, labels, train, head.load(folder / "head.npz"))


def measures(features: np.ndarray, labels: np.ndarray, real: Real, supers: np.ndarray) -> Measures:
    """What takes each of `finefit.judges.SCORES`, and `kd_error`; one that lacks pictures raises `TooFew`.

    Args:
        features, labels: of the pictures that are judged, `[n, d]` and `[n]`.
        real: with whose test pictures they are compared.
        supers: each class's superclass id, `[classes]`.
    """
    kernel = cache(lambda: kernel_distance(real.features, features, seed=0))
    pairs = cache(lambda: equal_numbers(real.features, features))
    right = cache(lambda: hits(features, labels, real, supers))
    return {
        "fd": lambda: frechet_distance(features, real.features),
        "kd": lambda: kernel()[0],
        "kd_error": lambda: kernel()[1],
        **neighbourhoods(pairs),
        "memorised": lambda: memorised_share(features, real.train, real.features),
        "class_accuracy": lambda: float(right()["class_accuracy"].mean()),
        "superclass_accuracy": lambda: float(right()["superclass_accuracy"].mean()),
    }


def neighbourhoods(pairs: Callable[[], tuple[np.ndarray, np.ndarray]]) -> Measures:
    """What takes precision, recall, density and coverage of equal numbers of real and other features, `[n, d]` each."""
    sparse, dense = cache(lambda: precision_recall(*pairs())), cache(lambda: density_coverage(*pairs()))
    return {
        "precision": lambda: sparse()[0],
        "recall": lambda: sparse()[1],
        "density": lambda: dense()[0],
        "coverage": lambda: dense()[1],
    }


def taken(of: Measures) -> dict[str, float]:
    """The values of measures; nan where pictures are too few."""
    values = {}
    for name, measure in of.items():
        try:
            values[name] = measure()
        except TooFew:
            values[name] = math.nan
    return values


def hits(features: np.ndarray, labels: np.ndarray, real: Real, supers: np.ndarray) -> dict[str, np.ndarray]:
    """Whether the judge's head names each picture's class, and its superclass: `[n]` each.

    Args:
        features, labels: of the pictures that are judged, `[n, d]` and `[n]`.
        supers: each class's superclass id, `[classes]`.
    """
    named = real.head.classes_of(features)
    return {"class_accuracy": named == labels, "superclass_accuracy": supers[named] == supers[labels]}


def equal_numbers(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Random draws of the smaller set's number of rows from both."""
    size = min(len(first), len(second))
    first, second = (rows[np.random.default_rng(0).permutation(len(rows))[:size]] for rows in (first, second))
    return first, second
