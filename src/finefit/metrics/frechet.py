"""Frechet distance between two sets of features, each taken as a Gaussian (FID: Heusel et al. 2017)."""

from __future__ import annotations

import numpy as np

from finefit.jobs.arrays import Rows
from finefit.metrics import TooFew, in_parts


def statistics(features: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Mean `[d]` and unbiased covariance `[d, d]` of features `[n, d]`, in float64.

    The rows are gone through twice, a part at a time, so that centring loses no digits: to the bit what numpy's own
    functions give of rows that are one part (see `in_parts`), and within 1e-12 of it of more.
    """
    count = len(features)
    if count < 2:
        raise TooFew(f"{count} row(s) of features have no covariance: give at least two")
    mean = sum(part.sum(0) for part in in_parts(features)) / count
    centred = (part - mean for part in in_parts(features))
    return mean, sum(part.T @ part for part in centred) * (1 / (count - 1))


def frechet_distance(a: Rows, b: Rows) -> float:
    """Squared Frechet distance of features `[n, d]` and `[m, d]`: |mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)).

    With A = F F^T and B = G G^T, the eigenvalues of (A B)^(1/2) are the singular values of F^T G. So no matrix root is
    taken, and covariances of low rank (fewer pictures than dimensions) lose no digits.
    """
    (mean_a, factor_a, trace_a), (mean_b, factor_b, trace_b) = gaussian(a), gaussian(b)
    roots = np.linalg.svd(factor_a.T @ factor_b, compute_uv=False)
    return float(np.sum((mean_a - mean_b) ** 2) + trace_a + trace_b - 2 * roots.sum())


def gaussian(features: Rows) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean `[d]` of features `[n, d]`, F `[d, rank]` with F F^T = their covariance, and the covariance's trace.

    Rows that are no more than the dimensions are F themselves, once centred: a few pictures seen by a network of 2,048
    numbers take milliseconds, where the covariance's eigenvectors take seconds.
    """
    count, width = features.shape
    if not 2 <= count <= width:
        mean, covariance = statistics(features)
        return mean, factor(covariance), np.trace(covariance)
    rows = np.asarray(features[:], np.float64)
    mean = rows.mean(0)
    centred = (rows - mean).T / np.sqrt(count - 1)
    return mean, centred, np.sum(centred**2)


def factor(covariance: np.ndarray) -> np.ndarray:
    """F `[d, rank]` with F F^T = `covariance`; directions that hold nothing but rounding are dropped."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
    return vectors[:, kept] * np.sqrt(values[kept])


def split_half_distance(features: Rows, size: int, seed: int, repeats: int) -> float:
    """The floor of the distance: its mean between two disjoint random draws of `size` real pictures each.

    The distance is biased upward by small samples, so generated pictures are to be compared with the floor of their
    own number and not with zero.
    """
    if 2 * size > len(features):
        raise TooFew(f"two disjoint halves of {size} need {2 * size} rows of features, not {len(features)}")
    orders = [np.random.default_rng([seed, repeat]).permutation(len(features)) for repeat in range(repeats)]
    halves = ((features[order[:size]], features[order[size : 2 * size]]) for order in orders)
    return float(np.mean([frechet_distance(*pair) for pair in halves]))


def group_distances(
    features: Rows, groups: np.ndarray, real: Rows, real_groups: np.ndarray, seed: int
) -> tuple[dict[int, float], int]:
    """Distance of each group (superclass) at one number of pictures, and that number: the smallest group's.

    The distance is biased upward by small samples, so groups of different size could not be compared.

    Args:
        features, real: `[n, d]` and `[m, d]`.
        groups, real_groups: group numbers `[n]` and `[m]`; groups that either lacks are left out, and all are where
            the smallest has a single picture.
    """
    both = sorted(set(groups.tolist()) & set(real_groups.tolist()))
    size = min((int((ids == group).sum()) for ids in (groups, real_groups) for group in both), default=0)
    values = {}
    for group in both if size > 1 else []:
        random = np.random.default_rng([seed, group])
        mine, theirs = (random.permutation(np.flatnonzero(ids == group))[:size] for ids in (groups, real_groups))
        values[group] = frechet_distance(features[mine], real[theirs])
    return values, size
