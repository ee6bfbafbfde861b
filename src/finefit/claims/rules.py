"""The rules by which a claim gets its verdict; a claim names one, and the report prints the rule's text beside it.

A rule takes what was measured and the published digits, and knows nothing of the claim. Its docstring is its text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

from finefit.analysis.statistics import ALPHA, Estimate
from finefit.outlook.counts import agreement

Verdict = Literal[
    "reproduced",
    "not reproduced",
    "equal within the margin",
    "inconclusive",
    "not run at this size",
    "not run yet",
]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
DECIDED: tuple[Verdict, ...] = ("reproduced", "not reproduced", "equal within the margin")
NOT_RUN: tuple[Verdict, ...] = ("not run at this size", "not run yet")

NEAR = 0.05


@dataclass(frozen=True)
class Evidence:
    """What a rule decides by: an estimate, what the paper printed, and two p-values corrected over the ledger (Holm).

    `p` is that of no difference, `p_equal` that of a difference of the margin or more.
    """

    found: Estimate
    published: str = ""
    p: float = math.nan
    p_equal: float = math.nan


def prints_as(seen: Evidence) -> Verdict:
    """Reproduced if our exact count, rounded or truncated to the printed number of digits, gives the printed digits."""
    return "reproduced" if agreement(Decimal(repr(seen.found.mean)), seen.published) else "not reproduced"


def near(seen: Evidence) -> Verdict:
    """Reproduced if the whole 95 % interval lies within 5 % of the published value; not reproduced if all of it
    lies outside."""
    low, high = (float(seen.published) * (1 - NEAR), float(seen.published) * (1 + NEAR))
    return by_interval(seen.found, low, high)


def at_least(seen: Evidence) -> Verdict:
    """Reproduced if the whole 95 % interval reaches the published value; not reproduced if all of it lies below."""
    return by_interval(seen.found, float(seen.published), math.inf)


def falls(seen: Evidence) -> Verdict:
    """Reproduced if the whole 95 % interval of the slope lies below zero; not reproduced if all of it lies above."""
    return by_interval(seen.found, -math.inf, 0.0)


def lower(seen: Evidence) -> Verdict:
    """Reproduced if the difference between methods, in blocks of seeds, is below zero with p < 5 % after Holm's
    correction over all such claims; not reproduced if it is above zero with p < 5 %; equal within the margin if two
    one-sided tests say so with p < 5 % after Holm's correction."""
    return by_direction(seen, wanted=-1)


def higher(seen: Evidence) -> Verdict:
    """Reproduced if the difference between methods, in blocks of seeds, is above zero with p < 5 % after Holm's
    correction over all such claims; not reproduced if it is below zero with p < 5 %; equal within the margin if two
    one-sided tests say so with p < 5 % after Holm's correction."""
    return by_direction(seen, wanted=1)


def as_good(seen: Evidence) -> Verdict:
    """Equal within the margin, which is what is claimed, if two one-sided tests say so with p < 5 % after Holm's
    correction over all differences; reproduced if the difference between methods is below zero with p < 5 % (better
    than claimed); not reproduced if it is above zero with p < 5 % and not within the margin."""
    return "equal within the margin" if seen.p_equal < ALPHA else by_direction(seen, wanted=-1)


RULES: dict[str, Callable[[Evidence], Verdict]] = {
    rule.__name__: rule for rule in (prints_as, near, at_least, falls, lower, higher, as_good)
}
DIFFERENCES = ("lower", "higher", "as_good")  # rules that test a difference, and want a margin


def text(rule: str) -> str:
    """A rule in words."""
    return " ".join((RULES[rule].__doc__ or "").split())


def by_interval(found: Estimate, low: float, high: float) -> Verdict:
    """Whether an interval lies within bounds, without them, or across; one seed has no interval and decides nothing."""
    if low <= found.low and found.high <= high:
        return "reproduced"
    return "not reproduced" if found.high < low or found.low > high else "inconclusive"


def by_direction(seen: Evidence, wanted: int) -> Verdict:
    """Whether a difference has the sign that is claimed (-1 or 1), the other, or is equal within the margin."""
    if seen.p < ALPHA:
        return "reproduced" if seen.found.mean * wanted > 0 else "not reproduced"
    return "equal within the margin" if seen.p_equal < ALPHA else "inconclusive"


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict of several data sets: theirs where those that decide agree."""
    decided = {one for one in verdicts if one in DECIDED}
    if len(decided) == 1:
        return decided.pop()
    return "inconclusive" if decided or "inconclusive" in verdicts else verdicts[0]


def consent(views: Mapping[str, Verdict]) -> str:
    """Whether several metrics' verdicts on one claim agree: "agree", "disagree", or "" where fewer than two decide.

    Equality within a metric's margin contradicts no direction by another metric, whose margin is its own.
    """
    decided = {one for one in views.values() if one in ("reproduced", "not reproduced")}
    if len(decided) == 2:
        return "disagree"
    return "agree" if sum(one in DECIDED for one in views.values()) > 1 else ""
