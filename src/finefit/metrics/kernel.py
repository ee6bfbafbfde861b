"""Kernel distance between two sets of features (KID: Binkowski et al. 2018), which small samples do not bias."""

from __future__ import annotations

import numpy as np

from finefit.jobs.arrays import Rows
from finefit.metrics import TooFew, in_parts

SUBSETS, LARGEST_SUBSET = 100, 1000  # as clean-fid and the paper's own code


def kernel_distance(
    real: Rows, generated: Rows, seed: int, subsets: int = SUBSETS, largest: int = LARGEST_SUBSET
) -> tuple[float, float]:
    """Mean and standard error of the unbiased squared MMD with kernel (x.y / d + 1)^3 over random subsets.

    Args:
        real, generated: features `[n, d]` and `[m, d]`.
        seed: decides the subsets; drawn in clean-fid's order, so that the mean is what its function gives after
            `numpy.random.seed(seed)`.
        largest: pictures of a subset, or fewer where a set has fewer.
    """
    size = min(len(real), len(generated), largest)
    if size < 2:
        raise TooFew(f"a subset of {size} row(s) of features has no pairs: give at least two of each kind")
    random = np.random.RandomState(seed)
    values = []
    for _ in range(subsets):
        x = generated[random.choice(len(generated), size, replace=False)]
        y = real[random.choice(len(real), size, replace=False)]
        values.append(squared_discrepancy(np.asarray(x, np.float64), np.asarray(y, np.float64)))
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(subsets))


def squared_discrepancy(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy of features `[n, d]` and `[m, d]` (Gretton et al. 2012, eq. 3).

    The kernel of all pairs is made some rows at a time: of a class of 5,000 pictures it would be 200 MB, and
    as much twice on the way to it.
    """
    within = []
    for z in (x, y):
        total, own, start = 0.0, 0.0, 0
        for part in in_parts(z, 3 * len(z)):
            matrix = kernel(part, z)
            total, own, start = total + matrix.sum(), own + np.trace(matrix, start), start + len(part)
        within.append((total - own) / (len(z) * (len(z) - 1)))
    between = sum(kernel(part, y).sum() for part in in_parts(x, 3 * len(y))) / (len(x) * len(y))
    return float(sum(within) - 2 * between)


def class_distances(
    features: Rows, labels: np.ndarray, real: Rows, real_labels: np.ndarray, classes: int
) -> np.ndarray:
    """Kernel distance of each class's generated pictures to its real ones, `[classes]`; few pictures do not bias it.

    Args:
        features, labels: of generated pictures, `[n, d]` and `[n]`.
        real, real_labels: of real pictures, `[m, d]` and `[m]`.

    Returns:
        nan for a class with fewer than two pictures of either kind. Single values may lie below zero.
    """
    values = np.full(classes, np.nan)
    members = [rows_of_classes(ids, classes) for ids in (labels, real_labels)]
    for label, (mine, theirs) in enumerate(zip(*members, strict=True)):
        if min(len(mine), len(theirs)) > 1:
            x, y = np.asarray(features[mine], np.float64), np.asarray(real[theirs], np.float64)
            values[label] = squared_discrepancy(x, y)
    return values


def rows_of_classes(labels: np.ndarray, classes: int) -> list[np.ndarray]:
    """Row numbers of every class, ascending."""
    order = np.argsort(labels, kind="stable")
    edges = np.searchsorted(labels[order], np.arange(classes + 1))
    return [order[start:stop] for start, stop in zip(edges[:-1], edges[1:], strict=True)]


def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The cubic polynomial kernel of all pairs: `[n, d]` and `[m, d]` to `[n, m]`."""
    return (x @ y.T / x.shape[1] + 1) ** 3
