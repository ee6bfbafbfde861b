"""Kernel distance between two sets of features (KID: Binkowski et al. 2018), which small samples do not bias."""

from __future__ import annotations

import numpy as np

from finefit.metrics import TooFew

SUBSETS, LARGEST_SUBSET = 100, 1000  # as clean-fid and the paper's own code


def kernel_distance(
    real: np.ndarray, generated: np.ndarray, seed: int, subsets: int = SUBSETS, largest: int = LARGEST_SUBSET
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
    real, generated = np.asarray(real, np.float64), np.asarray(generated, np.float64)
    values = []
    for _ in range(subsets):
        x = generated[random.choice(len(generated), size, replace=False)]
        y = real[random.choice(len(real), size, replace=False)]
        values.append(squared_discrepancy(x, y))
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(subsets))


def squared_discrepancy(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy of features `[n, d]` and `[n, d]` (Gretton et al. 2012, eq. 3)."""
    size = len(x)
    within = kernel(x, x) + kernel(y, y)
    return float((within.sum() - np.trace(within)) / (size * (size - 1)) - 2 * kernel(x, y).mean())


def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The cubic polynomial kernel of all pairs: `[n, d]` and `[m, d]` to `[n, m]`."""
    return (x @ y.T / x.shape[1] + 1) ** 3
