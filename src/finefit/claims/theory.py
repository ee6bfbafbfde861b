"""DiffFit's argument for scale factors, in the smallest case where it can be checked: one linear map on Gaussians.

A source x ~ N(0, I) in D dimensions is pushed forward by a fixed linear map W behind a diagonal of factors: y = W
diag(gamma) x. The target has factors gamma* and the same W. DiffFit (theory section) states that gradient descent on
m = Omega(D^2 log D) samples recovers gamma*. Here descent fits the target's covariance and sees nothing else of it.
"""

from __future__ import annotations

import math

import numpy as np


def samples_bound(dimension: int) -> int:
    """D^2 log D, the number of samples in the stated bound, whose constant is not published."""
    return math.ceil(dimension**2 * math.log(dimension))


def problem(dimension: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A well-conditioned map `[d, d]` (a rotation with mild stretching) and true factors `[d]` between 0.5 and 1.5."""
    random = np.random.default_rng([seed, dimension])
    rotation, _ = np.linalg.qr(random.normal(size=(dimension, dimension)))
    return rotation * random.uniform(0.9, 1.1, dimension)[:, None], random.uniform(0.5, 1.5, dimension)


def target_covariance(
    weights: np.ndarray, factors: np.ndarray, samples: int | None, seed: int, shear: float = 0.0
) -> np.ndarray:
    """Covariance `[d, d]` of the target, of a number of samples or exact (None).

    Args:
        shear: how far the target lies outside the diagonal family: x is mapped by diag(factors) + shear * Q, Q a random
            orthogonal matrix, before the fixed map.
    """
    dimension = len(factors)
    random = np.random.default_rng([seed, dimension, samples or 0])
    rotation, _ = np.linalg.qr(np.random.default_rng([seed, dimension]).normal(size=(dimension, dimension)))
    mixing = weights @ (np.diag(factors) + shear * rotation)
    if samples is None:
        return mixing @ mixing.T
    drawn = random.normal(size=(samples, dimension)) @ mixing.T
    return drawn.T @ drawn / samples


def descend(weights: np.ndarray, covariance: np.ndarray, steps: int, rate: float = 0.05) -> np.ndarray:
    """Factors after every step of gradient descent from 1: `[steps + 1, d]`.

    The loss is a quarter of the squared Frobenius distance of W diag(gamma^2) W^T from the target's covariance.
    """
    factors = np.ones(len(weights))
    path = [factors]
    for _ in range(steps):
        residual = (weights * factors**2) @ weights.T - covariance
        factors = factors - rate * factors * (weights * (residual @ weights)).sum(0)
        path.append(factors)
    return np.array(path)


def relative_error(found: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """|found - factors| / |factors| along the last axis."""
    return np.linalg.norm(found - factors, axis=-1) / np.linalg.norm(factors)


def recovery(dimension: int, samples: int | None, seed: int, steps: int = 400, shear: float = 0.0) -> np.ndarray:
    """Relative error of the factors after every step of descent: `[steps + 1]`."""
    weights, factors = problem(dimension, seed)
    covariance = target_covariance(weights, factors, samples, seed, shear)
    return relative_error(descend(weights, covariance, steps), factors)


def unexplained(dimension: int, seed: int, shear: float, steps: int = 400) -> float:
    """Share of the target's covariance (Frobenius norm) that the best found factors leave unexplained."""
    weights, factors = problem(dimension, seed)
    covariance = target_covariance(weights, factors, None, seed, shear)
    found = descend(weights, covariance, steps)[-1]
    return float(np.linalg.norm((weights * found**2) @ weights.T - covariance) / np.linalg.norm(covariance))
