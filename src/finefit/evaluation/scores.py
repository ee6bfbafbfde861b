"""Features to scores: what one judge says of a set of pictures beside real ones."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finefit.metrics import head
from finefit.metrics.frechet import frechet_distance
from finefit.metrics.head import Head
from finefit.metrics.kernel import kernel_distance
from finefit.metrics.manifold import DENSE_NEIGHBOUR, density_coverage, memorised_share, precision_recall


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


def of_distribution(features: np.ndarray, real: Real) -> dict[str, float]:
    """The scores of `finefit.judges.SCORES` that need no labels, and the error of `kd`; nan for what cannot be had.

    Args:
        features: of the pictures that are judged, `[n, d]`.
        real: with whose test pictures they are compared.
    """
    kernel, error = kernel_distance(real.features, features, seed=0)
    return {
        "fd": frechet_distance(features, real.features),
        "kd": kernel,
        "kd_error": error,
        **neighbourhoods(*equal_numbers(real.features, features)),
        "memorised": memorised_share(features, real.train, real.features),
    }


def neighbourhoods(real: np.ndarray, features: np.ndarray) -> dict[str, float]:
    """Precision, recall, density and coverage of equal numbers of pictures, `[n, d]` each; nan for too few."""
    few = min(len(real), len(features)) <= DENSE_NEIGHBOUR
    pairs = [(math.nan, math.nan)] * 2 if few else [precision_recall(real, features), density_coverage(real, features)]
    return dict(zip(("precision", "recall", "density", "coverage"), itertools.chain(*pairs), strict=True))


def of_samples(features: np.ndarray, labels: np.ndarray, real: Real, supers: np.ndarray) -> dict[str, float]:
    """All scores of `finefit.judges.SCORES`, and the error of `kd`. Args as of `of_distribution` and `hits`."""
    right = {name: float(told.mean()) for name, told in hits(features, labels, real, supers).items()}
    return of_distribution(features, real) | right


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
