"""Estimates with their intervals and p-values, and corrections for asking several questions at once. Pure functions.

What is compared and how its error is estimated stands in `blocks`; what an estimate supports in `decisions`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from scipy.special import stdtr, stdtrit

ALPHA = 0.05  # the chance of any false finding in a table, and of any interval of it that misses


@dataclass(frozen=True)
class Estimate:
    """A mean or a difference, its standard error, and how many questions share the chance of an error.

    Attributes:
        mean: the estimate itself.
        error: its standard error; nan where nothing was repeated.
        freedom: the error's degrees of freedom.
        count: over how many seeds (or classes); 0 is nothing known, 1 has no interval.
        tests: the level of interval and p-value is shared by so many tests (Bonferroni).
        methods: of how many means this is one of all pairwise differences (Tukey's range); 2 is a difference by itself.
        shift: by how much it may be off whatever is repeated, such as by what another machine makes of the same run;
            the interval is so much wider on either side.
    """

    mean: float
    error: float
    freedom: float
    count: int
    tests: float = 1.0
    methods: int = 2
    shift: float = 0.0

    @property
    def half(self) -> float:
        """Half the 95 % interval; nan below two seeds."""
        if math.isnan(self.error):
            return math.nan
        return critical(ALPHA / self.tests, self.methods, self.freedom) * self.error + self.shift

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
        """Two-sided p-value of a true value of zero, below 5 % exactly where the interval leaves zero out."""
        if math.isnan(self.error):
            return math.nan
        beyond = max(0.0, abs(self.mean) - self.shift)
        if self.error == 0:
            return float(beyond == 0)
        return min(1.0, self.tests * tail(beyond / self.error, self.methods, self.freedom))

    def among(self, tests: int) -> Estimate:
        """The same estimate as one of several that are told together (Bonferroni)."""
        return replace(self, tests=self.tests * max(1, tests))


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)


def estimate(values: Sequence[float]) -> Estimate:
    """Student's mean of n values: error s / sqrt(n), n - 1 degrees of freedom.

    s is the standard deviation with n - 1 in its denominator. Values that are not finite (pending) do not count. One
    value has no interval, none has no mean either.
    """
    known = [float(value) for value in values if math.isfinite(value)]
    count = len(known)
    if count == 0:
        return NOTHING
    mean = math.fsum(known) / count
    if count == 1:
        return Estimate(mean, math.nan, math.nan, 1)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (count - 1))
    return Estimate(mean, deviation / math.sqrt(count), count - 1, count)


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


@lru_cache(4096)
def critical(alpha: float, methods: int, freedom: float) -> float:
    """By how many standard errors a difference is exceeded with chance alpha, by the largest of all pairs of means.

    Student's t for two means, else Tukey's studentised range q over sqrt(2) (Tukey 1953), since q counts in errors of
    one mean and a difference has sqrt(2) of them.
    """
    if methods == 2:
        return float(stdtrit(freedom, 1 - alpha / 2))
    from scipy.stats import studentized_range  # half a second to import, which readers of tables do without

    return float(studentized_range.ppf(1 - alpha, methods, freedom)) / math.sqrt(2)


@lru_cache(4096)
def tail(ratio: float, methods: int, freedom: float) -> float:
    """The chance that a difference of so many standard errors or more comes about by itself: see `critical`."""
    if methods == 2:
        return 2 * float(stdtr(freedom, -ratio))
    from scipy.stats import studentized_range

    return float(studentized_range.sf(ratio * math.sqrt(2), methods, freedom))
