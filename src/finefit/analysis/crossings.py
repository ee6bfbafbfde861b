"""Where one method overtakes another along what a study varies: the crossing of their scores, with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from finefit.analysis.scores import OF_RUN, Scores
from finefit.analysis.statistics import Estimate

FINE = 500  # parts of a step from one value to the next


@dataclass(frozen=True)
class Crossing:
    """The values at which neither of two methods is ahead.

    Attributes:
        point: where their difference is nothing, between the values on a logarithmic axis; nan where it keeps its sign.
        low, high: between which the 95 % interval of the difference holds zero; both nan where it nowhere does.
    """

    point: float
    low: float
    high: float


def crossing(values: Sequence[float], differences: Sequence[Estimate]) -> Crossing:
    """Where a difference that was estimated at several ascending values crosses zero.

    Between two values it is taken to be linear in the value's logarithm; independent estimates d, e with half intervals
    a, b then give (1 - t) d + t e with the half interval sqrt((1 - t)^2 a^2 + t^2 b^2). The interval of the crossing
    holds every value whose difference may be zero (a test inverted, as Fieller's theorem does for a ratio); of several
    crossings it holds all, and `point` is the first.
    """
    places, means, halves = [], [], []
    share = np.linspace(0, 1, FINE + 1)
    for number in range(len(values) - 1):
        low, high = differences[number], differences[number + 1]
        places.append((1 - share) * math.log(values[number]) + share * math.log(values[number + 1]))
        means.append((1 - share) * low.mean + share * high.mean)
        halves.append(np.hypot((1 - share) * low.half, share * high.half))
    place, mean, half = (np.concatenate(parts) for parts in (places, means, halves))
    hidden = np.abs(mean) <= half
    turns = np.flatnonzero(np.sign(mean[1:]) != np.sign(mean[:-1]))
    point = math.exp(place[turns[0]]) if len(turns) else math.nan
    if not hidden.any():
        return Crossing(point, math.nan, math.nan)
    within = np.exp(place[hidden])
    return Crossing(point, float(within.min()), float(within.max()))


def against(found: Scores, rows: pd.DataFrame, metric: str) -> tuple[str, dict[str, list[Estimate]]]:
    """The line that trains most, and its differences to every other line at the values of an axis, ascending.

    Args:
        rows: those of `Axis.along`. Lines that lack a value of the metric somewhere are left out.

    Returns:
        A line's name, and by other line the differences; the intervals of all of them hold together (Bonferroni).
    """
    rows, places = rows.drop_duplicates(["group", "entry"]) if metric in OF_RUN else rows, rows["value"].nunique()
    rows = rows[rows[metric].map(lambda estimate: estimate.count > 0)]
    whole = rows.groupby("line")["value"].nunique() == places
    rows = rows[rows["line"].map(whole)].sort_values("value", kind="stable")
    if rows.empty:
        return "", {}
    most = rows.loc[rows["trained_parameters"].idxmax(), "line"]
    own, others = rows[rows["line"] == most], rows[rows["line"] != most]
    found_of = {}
    for line, part in others.groupby("line", sort=False):
        pairs = zip(own.iterrows(), part.iterrows(), strict=True)
        found_of[str(line)] = [
            found.contrast([(mine, other)], metric).among(len(others)) for (_, mine), (_, other) in pairs
        ]
    return str(most), found_of
