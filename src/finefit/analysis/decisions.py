"""What a difference supports: a direction, equality within a margin, or neither; and how many seeds would decide."""

from __future__ import annotations

import math
from typing import Literal

from scipy.special import stdtr, stdtrit

from finefit.analysis.statistics import ALPHA, Estimate, critical

MARGIN = 0.013  # of the score: retrained networks' FID differ by as much (FID Lottery, arXiv 2606.20536)
POWER = 0.8
MOST_SEEDS = 200

Verdict = Literal["lower", "higher", "equal within the margin", "not separated", "one seed", "no interval", "pending"]
SEPARATED: tuple[Verdict, ...] = ("lower", "higher")
DECIDED: tuple[Verdict, ...] = (*SEPARATED, "equal within the margin")


def verdict(difference: Estimate, margin: float = 0.0) -> Verdict:
    """What a difference supports by its interval.

    Args:
        margin: equal means that the whole interval lies within plus and minus this (two one-sided tests: Schuirmann
            1987, here at the interval's own level); 0 asks for no equality.
    """
    if not difference.count:
        return "pending"
    if math.isnan(difference.error):
        return "one seed" if difference.count == 1 else "no interval"
    if abs(difference.mean) > difference.half:
        return "lower" if difference.mean < 0 else "higher"
    return "equal within the margin" if within(difference, margin) else "not separated"


def within(difference: Estimate, margin: float) -> bool:
    """Whether the whole interval lies within plus and minus a margin."""
    return margin > 0 and abs(difference.mean) + difference.half < margin


def equivalence(difference: Estimate, margin: float) -> float:
    """The p-value of two one-sided tests of |true difference| >= margin: the larger of both (Schuirmann 1987).

    It is P(T > (margin - |difference|) / error) of Student's T, times the tests that share the level.
    """
    if math.isnan(difference.error) or not margin > 0:
        return math.nan
    room = margin - abs(difference.mean) - difference.shift
    if difference.error == 0:
        return float(room <= 0)
    return min(1.0, difference.tests * float(stdtr(difference.freedom, -room / difference.error)))


def seeds_to_decide(difference: Estimate, margin: float = 0.0) -> int | None:
    """How many seeds in all would decide if mean and residual variance stay as they are; None above `MOST_SEEDS`.

    Deciding is finding the direction in four of five repetitions, (critical + t(0.8)) errors (Cohen 1988, chapter 2),
    or an interval within the margin. The error falls with the square root of the seeds s; degrees of freedom are
    (m - 1)(s - 1), m the methods of the pooled variance.
    """
    if math.isnan(difference.error):
        return None

    def decides(seeds: int) -> bool:
        freedom = difference.freedom * (seeds - 1) / (difference.count - 1)
        error = difference.error * math.sqrt(difference.count / seeds)
        half = later(difference, freedom) * error + difference.shift
        found = half + float(stdtrit(freedom, POWER)) * error <= abs(difference.mean)
        return found or abs(difference.mean) + half < margin

    low, high = difference.count, MOST_SEEDS
    if not decides(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def later(difference: Estimate, freedom: float) -> float:
    """The critical value of a difference once its error has more degrees of freedom.

    That of Tukey's range takes half a second for each; its logarithm is taken as linear in 1 / freedom between today's
    and the one of infinitely many, which is right to 4 %.
    """
    alpha = ALPHA / difference.tests
    if difference.methods == 2:
        return critical(alpha, 2, freedom)
    now, last = (critical(alpha, difference.methods, known) for known in (difference.freedom, math.inf))
    return last * (now / last) ** (difference.freedom / freedom)
