"""The rules by which a claim gets its verdict; a claim names one, and the report prints the rule's text beside it.

A rule takes what was measured and the published digits, and knows nothing of the claim. Its docstring is its text.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

from finefit.outlook.counts import agreement
from finefit.report.statistics import Estimate, verdict

Verdict = Literal["reproduced", "not reproduced", "inconclusive", "not run at this size", "not run yet"]

NEAR = 0.05


def prints_as(found: Estimate, p: float, published: str) -> Verdict:
    """Reproduced if our exact count, rounded or truncated to the printed number of digits, gives the printed digits."""
    return "reproduced" if agreement(as_decimal(found.mean), published) else "not reproduced"


def near(found: Estimate, p: float, published: str) -> Verdict:
    """Reproduced if the whole 95 % interval lies within 5 % of the published value; not reproduced if all of it
    lies outside."""
    low, high = (float(published) * (1 - NEAR), float(published) * (1 + NEAR))
    return by_interval(found, low, high)


def at_least(found: Estimate, p: float, published: str) -> Verdict:
    """Reproduced if the whole 95 % interval reaches the published value; not reproduced if all of it lies below."""
    return by_interval(found, float(published), float("inf"))


def falls(found: Estimate, p: float, published: str) -> Verdict:
    """Reproduced if the whole 95 % interval of the slope lies below zero; not reproduced if all of it lies above."""
    return by_interval(found, float("-inf"), 0.0)


def lower(found: Estimate, p: float, published: str) -> Verdict:
    """Reproduced if the paired difference over seeds and classes is below zero with p < 5 % after Holm's correction
    over all such claims; not reproduced if it is above zero with p < 5 %."""
    supported: dict[str, Verdict] = {"lower": "reproduced", "higher": "not reproduced"}
    return supported.get(verdict(found, p), "inconclusive")


def higher(found: Estimate, p: float, published: str) -> Verdict:
    """Reproduced if the paired difference over seeds and classes is above zero with p < 5 % after Holm's correction
    over all such claims; not reproduced if it is below zero with p < 5 %."""
    supported: dict[str, Verdict] = {"higher": "reproduced", "lower": "not reproduced"}
    return supported.get(verdict(found, p), "inconclusive")


RULES: dict[str, Callable[[Estimate, float, str], Verdict]] = {
    rule.__name__: rule for rule in (prints_as, near, at_least, falls, lower, higher)
}


def text(rule: str) -> str:
    """A rule in words."""
    return " ".join((RULES[rule].__doc__ or "").split())


def by_interval(found: Estimate, low: float, high: float) -> Verdict:
    """Whether an interval lies within bounds, without them, or across; one seed has no interval and decides nothing."""
    if low <= found.low and found.high <= high:
        return "reproduced"
    return "not reproduced" if found.high < low or found.low > high else "inconclusive"


def together(verdicts: list[Verdict]) -> Verdict:
    """One verdict of several data sets: theirs where those that decide agree."""
    decided = {one for one in verdicts if one in ("reproduced", "not reproduced")}
    if len(decided) == 1:
        return decided.pop()
    return "inconclusive" if decided or "inconclusive" in verdicts else verdicts[0]


def as_decimal(value: float) -> Decimal:
    """A count's value as a decimal number, digit by digit."""
    return Decimal(repr(value))
