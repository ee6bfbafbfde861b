"""Means, intervals and comparisons over seeds and classes. Pure functions; tables and figures state nothing else.

Two things would differ if the study were repeated: the seeds, and which classes the data set happens to have. A study
has two or three seeds, too few to resample (of the four resamples of two seeds, two repeat one of them), so the seeds'
part of the uncertainty is Student's. Classes are many, so theirs is a bootstrap. Both variances add.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import stdtr, stdtrit

LEVEL = 0.95
POWER = 0.8

Verdict = Literal["lower", "higher", "not separated", "one seed", "pending"]


@dataclass(frozen=True)
class Estimate:
    """A mean over `count` seeds, its standard error and that error's degrees of freedom (nan below two seeds)."""

    mean: float
    error: float
    freedom: float
    count: int

    @property
    def half(self) -> float:
        """Half the 95 % interval: t(freedom, 0.975) times the error."""
        return float(stdtrit(self.freedom, (1 + LEVEL) / 2)) * self.error if self.count > 1 else math.nan

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half

    @property
    def p(self) -> float:
        """Two-sided p-value of the hypothesis that the true value is zero (Student's t); nan without an interval."""
        if self.count < 2:
            return math.nan
        if self.error == 0:
            return float(self.mean == 0)
        return 2 * float(stdtr(self.freedom, -abs(self.mean) / self.error))

    @property
    def detectable(self) -> float:
        """The smallest true value that a study with this error finds to differ from zero in 80 % of its repetitions.

        Cohen 1988, chapter 2: (t(0.975) + t(0.8)) times the error.
        """
        if self.count < 2:
            return math.nan
        return float(stdtrit(self.freedom, (1 + LEVEL) / 2) + stdtrit(self.freedom, POWER)) * self.error


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)


def estimate(values: Sequence[float]) -> Estimate:
    """Mean of n seeds' values with error s / sqrt(n) and n - 1 degrees of freedom.

    s is the standard deviation with n-1 in its denominator. Values that are nan (pending) do not count. One value has
    no interval, none has no mean either.
    """
    known = [float(value) for value in values if not math.isnan(value)]
    count = len(known)
    if count == 0:
        return NOTHING
    mean = math.fsum(known) / count
    if count == 1:
        return Estimate(mean, math.nan, math.nan, 1)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (count - 1))
    return Estimate(mean, deviation / math.sqrt(count), count - 1, count)


def over_classes(seeds: Estimate, replicates: np.ndarray, classes: int) -> Estimate:
    """Add the uncertainty that comes from the classes: the standard deviation of a bootstrap that resampled them.

    The degrees of freedom of the sum are Welch's and Satterthwaite's. What seeds and classes do together is in both
    parts, so the interval is slightly too wide rather than too narrow.

    Args:
        seeds: an estimate over seeds.
        replicates: `[b]`, the same mean over seeds under b resamples of the classes.
        classes: how many classes there are.
    """
    if seeds.count < 2 or len(replicates) < 2 or classes < 2:
        return seeds
    of_seeds, of_classes = seeds.error**2, float(np.var(replicates, ddof=1))
    if of_seeds + of_classes == 0:
        return seeds
    freedom = (of_seeds + of_classes) ** 2 / (of_seeds**2 / seeds.freedom + of_classes**2 / (classes - 1))
    return Estimate(seeds.mean, math.sqrt(of_seeds + of_classes), freedom, seeds.count)


def paired(first: dict[int, float], second: dict[int, float]) -> Estimate:
    """Mean of the differences first - second over the seeds that both have.

    Seeds pair two methods (same order of training data, same noise of every sample), so what a seed does to both
    cancels, and the interval is that of one mean, not of two.

    Args:
        first, second: a value per seed.
    """
    return estimate([first[seed] - second[seed] for seed in first if seed in second])


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (Holm 1979): the chance of any false finding among all stays at the level.

    A nan stays nan and counts as no hypothesis.
    """
    order = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    adjusted, highest = [math.nan] * len(p_values), 0.0
    for rank, (p, place) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        adjusted[place] = highest
    return adjusted


def verdict(difference: Estimate, p: float | None = None) -> Verdict:
    """What a paired difference supports: first is "lower" or "higher" only if its p-value is below 5 %.

    Args:
        p: the p-value after a correction; None takes the difference's own, which asks whether its interval has zero.
    """
    if difference.count < 2:
        return "one seed" if difference.count else "pending"
    if (difference.p if p is None else p) >= 1 - LEVEL or difference.mean == 0:
        return "not separated"
    return "lower" if difference.mean < 0 else "higher"
