"""Fidelity and variety apart, and memorisation, from nearest neighbours in feature space."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from finefit.metrics import TooFew

NEIGHBOUR = 3  # k of precision and recall, as published
BATCH = 1024


def precision_recall(real: np.ndarray, generated: np.ndarray, k: int = NEIGHBOUR) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al. 2019, eq. 1 and 2).

    Precision is the share of generated pictures that lie within some real picture's distance to its k-th nearest real
    picture; recall is the same with the roles exchanged. Both grow with the number of pictures, so compare equal
    numbers only.

    Args:
        real, generated: features `[n, d]` and `[m, d]`, each of more than k rows.
    """
    for name, features in (("real", real), ("generated", generated)):
        if len(features) <= k:
            raise TooFew(f"{len(features)} {name} pictures have no {k}-th neighbour: give more than {k}")
    return covered(generated, real, k), covered(real, generated, k)


def covered(points: np.ndarray, support: np.ndarray, k: int) -> float:
    """Share of `points` within the k-th neighbour's distance of at least one row of `support`."""
    radii = nearest(support, support, k + 1)[:, k]  # the nearest of all is the row itself
    inside = [(distances(part, support) <= radii).any(1) for part in batches(points)]
    return torch.cat(inside).double().mean().item()


def memorised_share(generated: np.ndarray, train: np.ndarray, test: np.ndarray, quantile: float = 0.01) -> float:
    """Share of generated pictures that lie nearer to a training picture than nearly all real test pictures do.

    The bound is the given quantile of test pictures' distances to their nearest training picture; pictures that are
    neither copied nor far off score the quantile itself (after van den Burg and Williams 2021). Test pictures that are
    themselves copies of training pictures say nothing of it and are left out.

    Raises:
        TooFew: there is no test picture, or each is a copy.
    """
    apart = nearest(test, train, 1)[:, 0].numpy() if len(test) else np.zeros(0)
    apart = apart[~copied(apart, test)]
    if not len(apart):
        raise TooFew(f"of {len(test)} test pictures none is other than a training picture, so there is no bound")
    return float((nearest(generated, train, 1)[:, 0].numpy() < np.quantile(apart, quantile)).mean())


def copied(apart: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Which pictures are copies: `apart` `[n]` from their nearest by no more than rounding of their features."""
    return apart <= 1e-5 * np.linalg.norm(np.asarray(features, np.float64), axis=1)


def nearest(points: np.ndarray, support: np.ndarray, k: int) -> torch.Tensor:
    """Distances of each of `points` `[n, d]` to its k nearest rows of `support`, ascending: `[n, k]`."""
    return torch.cat([distances(part, support).topk(k, largest=False).values for part in batches(points)])


def distances(points: torch.Tensor, support: np.ndarray) -> torch.Tensor:
    """Euclidean distances of all pairs, in float64 and without the cancellation of the product form."""
    other = torch.as_tensor(np.asarray(support, np.float64))
    return torch.cdist(points, other, compute_mode="donot_use_mm_for_euclid_dist")


def batches(points: np.ndarray) -> tuple[Tensor, ...]:
    """Rows in float64, `BATCH` at a time."""
    return torch.as_tensor(np.asarray(points, np.float64)).split(BATCH)
