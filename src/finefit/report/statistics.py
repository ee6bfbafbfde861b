"""Means, intervals and comparisons over seeds. Pure functions; tables and figures state nothing that is not here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.special import stdtrit

LEVEL = 0.95

Verdict = Literal["lower", "higher", "not separated", "one seed", "pending"]


@dataclass(frozen=True)
class Estimate:
    """A mean over `count` seeds; the interval is `mean` plus and minus `half` (nan with fewer than two seeds)."""

    mean: float
    half: float
    count: int

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half


def estimate(values: Sequence[float], level: float = LEVEL) -> Estimate:
    """Mean of n seeds' values with Student's t interval: mean +- t(n-1, (1+level)/2) * s / sqrt(n).

    s is the standard deviation with n-1 in its denominator. Values that are nan (pending) do not count. One value has
    no interval (half is nan), none has no mean either.
    """
    known = [float(value) for value in values if not math.isnan(value)]
    count = len(known)
    if count == 0:
        return Estimate(math.nan, math.nan, 0)
    mean = math.fsum(known) / count
    if count == 1:
        return Estimate(mean, math.nan, 1)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (count - 1))
    return Estimate(mean, float(stdtrit(count - 1, (1 + level) / 2)) * deviation / math.sqrt(count), count)


def paired(first: dict[int, float], second: dict[int, float], level: float = LEVEL) -> Estimate:
    """Mean of the differences first - second over the seeds that both have, with the t interval of the differences.

    Seeds pair two methods (same order of training data, same noise of every sample), so what a seed does to both
    cancels, and the interval is that of one mean, not of two.

    Args:
        first, second: a value per seed.
    """
    return estimate([first[seed] - second[seed] for seed in first if seed in second], level)


def verdict(difference: Estimate) -> Verdict:
    """What a paired difference supports: first is "lower" or "higher" only if the interval leaves out zero."""
    if difference.count < 2:
        return "one seed" if difference.count else "pending"
    if difference.low <= 0 <= difference.high:
        return "not separated"
    return "lower" if difference.mean < 0 else "higher"
