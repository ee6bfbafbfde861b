"""A paper's column for one data set beside a study's scores: the order of methods, and how far apart they are.

Networks, judges and sizes differ, so no value of the study stands beside a value of the paper. What can be compared is
which method is nearer to real pictures than which. The paper reports one run; here every difference is in units of the
spread between seeds, the standard deviation of what is left of a method's score once its mean and the seed's are taken
away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import pandas as pd

from finefit.analysis.decisions import verdict
from finefit.analysis.scores import Scores
from finefit.analysis.statistics import Estimate
from finefit.claims.papers import own_row, published

COMMON = "fid"  # the metric of the paper's columns


@dataclass(frozen=True)
class Line:
    """A method of a paper's column: its published value, and the row of `Scores.variants` that is it here."""

    name: str
    value: float
    row: pd.Series


class Agreement(NamedTuple):
    """Of how many pairs of methods in how many the paper's order is found; the same of those that seeds separate."""

    pairs: int
    alike: int
    separated: int
    separated_alike: int


def column(found: Scores, paper: str, group: str) -> list[Line]:
    """The methods of a paper's column for a group's data set that the study has, the nearest of the paper first."""
    lines = []
    for row in published(paper):
        if row["data"] == found.groups[group]["data"] and row["metric"] == COMMON:
            own = own_row(found, row, group)
            lines += [] if own is None else [Line(row["row"], float(row["value"]), own)]
    return sorted(lines, key=lambda line: line.value)


def spreads(difference: Estimate) -> float:
    """A difference of two means over seeds in standard deviations of one seed's residual; nan without an interval.

    The error of a difference of two means of s values is the square root of 2 / s times that deviation.
    """
    return difference.mean / (difference.error * math.sqrt(difference.count / 2)) if difference.error else math.nan


def agreement(found: Scores, lines: list[Line]) -> Agreement:
    """In how many pairs of methods the study has the paper's order; pairs that are not made yet are left out."""
    differences = [found.difference(one.row, other.row, found.distance) for one, other in combinations(lines, 2)]
    done = [difference for difference in differences if difference.count]
    verdicts = [verdict(difference) for difference in done]
    lower, higher = verdicts.count("lower"), verdicts.count("higher")
    return Agreement(len(done), sum(difference.mean < 0 for difference in done), lower + higher, lower)
