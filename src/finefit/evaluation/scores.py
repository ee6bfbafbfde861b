"""Features to scores: what one judge says of a set of pictures beside real ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from finefit.evaluation.real import Real
from finefit.jobs.arrays import Rows
from finefit.metrics import MOST, TooFew, manifold
from finefit.metrics.frechet import frechet_distance
from finefit.metrics.kernel import kernel_distance

Measures = dict[str, Callable[[], float]]


def measures(features: Rows, labels: np.ndarray, gaps: np.ndarray, real: Real, supers: np.ndarray) -> Measures:
    """What takes each of `finefit.judges.SCORES`, and `kd_error`; one that lacks pictures raises `TooFew`.

    Args:
        features, labels, gaps: of the pictures that are judged, `[n, d]`, `[n]` and `[n]`, as those of `real`.
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
        "memorised": lambda: memorised(gaps, real),
        "class_accuracy": lambda: float(right()["class_accuracy"].mean()),
        "superclass_accuracy": lambda: float(right()["superclass_accuracy"].mean()),
    }


def memorised(gaps: np.ndarray, real: Real) -> float:
    """`manifold.memorised_share` of pictures with these gaps `[n]`."""
    return manifold.memorised_share(gaps, real.gaps, manifold.copied(real.gaps, real.features))


def neighbourhoods(pairs: Callable[[], tuple[np.ndarray, np.ndarray]]) -> Measures:
    """What takes precision, recall, density and coverage of equal numbers of real and other features, `[n, d]` each."""
    sparse, dense = (
        cache(lambda: manifold.precision_recall(*pairs())),
        cache(lambda: manifold.density_coverage(*pairs())),
    )
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


def hits(features: Rows, labels: np.ndarray, real: Real, supers: np.ndarray) -> dict[str, np.ndarray]:
    """Whether the judge's head names each picture's class, and its superclass: `[n]` each.

    Args:
        features, labels: of the pictures that are judged, `[n, d]` and `[n]`.
        supers: each class's superclass id, `[classes]`.
    """
    named = real.head.classes_of(features)
    return {"class_accuracy": named == labels, "superclass_accuracy": supers[named] == supers[labels]}


def equal_numbers(first: Rows, second: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Random draws of the smaller set's number of rows from both, of `metrics.MOST` at most."""
    size = min(len(first), len(second), MOST)
    drawn = [rows[np.random.default_rng(0).permutation(len(rows))[:size]] for rows in (first, second)]
    return drawn[0], drawn[1]
