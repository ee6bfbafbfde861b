"""Which method to take for which end: a rule over the decisions that a study's pairs support.

An end is a score that is best where it is lowest. Its answer is the method with the lowest mean; beside it stand the
methods that the study does not separate from it, so that nobody takes a lower mean for a finding. What an end costs in
pictures is told with it: how much further the chosen method's are from real ones than the nearest method's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from finefit.analysis.decisions import Verdict
from finefit.analysis.pairs import pairs
from finefit.analysis.scores import OF_RUN, RUN, Scores, key
from finefit.analysis.statistics import Estimate

End = Literal["nearest pictures", "smallest file", "cheapest training", "least forgetting"]
PLACES: dict[Verdict, str] = {  # the list of `Answer` that a verdict puts a row in
    "lower": "behind",
    "higher": "behind",
    "equal within the margin": "equal",
    "not separated": "beside",
    "one seed": "unknown",
    "no interval": "unknown",
    "pending": "unknown",
}


@dataclass(frozen=True)
class Answer:
    """The method to take for an end, and how sure that is.

    Attributes:
        metric: the score that is lowest where the end is reached.
        best: the row of `Scores.variants` with the lowest mean, which is `value`.
        behind: rows that the study separates from it.
        equal: rows that are equal to it within the margin.
        beside: rows that are not separated from it.
        unknown: rows that have no interval beside it: one seed, or missing runs.
        further: its distance to real pictures minus that of the method that lies nearest, as one of all pairs; None of
            that method itself, and where either has no distance.
    """

    end: End
    metric: str
    best: pd.Series
    value: Estimate
    behind: list[pd.Series] = field(default_factory=list)
    equal: list[pd.Series] = field(default_factory=list)
    beside: list[pd.Series] = field(default_factory=list)
    unknown: list[pd.Series] = field(default_factory=list)
    further: Estimate | None = None

    @property
    def decided(self) -> bool:
        """Whether any method is separated from the best."""
        return bool(self.behind)

    @property
    def alone(self) -> bool:
        """Whether all others are separated from it."""
        return not (self.equal or self.beside or self.unknown)


def answers(found: Scores, group: str) -> list[Answer]:
    """The answer for every end of which a group has values, the nearest pictures first."""
    ends: dict[End, str] = {
        "nearest pictures": found.distance,
        "smallest file": "delta_bytes",
        "cheapest training": "train_seconds",
        "least forgetting": "drift",
    }
    measured = {end: metric for end, metric in ends.items() if metric in found.evaluations}
    return [one for end, metric in measured.items() if (one := answer(found, group, end, metric))]


def answer(found: Scores, group: str, end: End, metric: str) -> Answer | None:
    """The answer for one end; None where fewer than two methods have a value."""
    rows = known(found, group, metric)
    if len(rows) < 2:
        return None
    best, *others = rows
    supported = verdicts(found, group, metric, best)
    places: dict[str, list[pd.Series]] = {"behind": [], "equal": [], "beside": [], "unknown": []}
    for row in others:
        places[PLACES[supported[key(row, metric)]]].append(row)
    return Answer(end, metric, best, value(found, best, metric), **places, further=further(found, group, best))


def known(found: Scores, group: str, metric: str) -> list[pd.Series]:
    """The rows of a group at the main scale that have a value of a metric, the lowest first.

    Of what a run has by itself an entry stands once: with the guidance that brings it nearest to real pictures.
    """
    every = found.rows_of(group)
    every.sort(key=lambda row: order(value(found, row, found.distance).mean))
    if metric in (*RUN, *OF_RUN):
        firsts: dict[str, pd.Series] = {}
        for row in every:
            firsts.setdefault(row["entry"], row)
        every = list(firsts.values())
    having = [row for row in every if math.isfinite(value(found, row, metric).mean)]
    return sorted(having, key=lambda row: value(found, row, metric).mean)


def order(mean: float) -> float:
    """A mean to sort by: what is not known comes last."""
    return mean if math.isfinite(mean) else math.inf


def value(found: Scores, row: pd.Series, metric: str) -> Estimate:
    """A row's mean of a metric; what is counted and not measured, such as a file's bytes, has no error."""
    if metric in RUN:
        return Estimate(row[metric], 0.0, math.inf, row["done"])
    return found.fit(row["group"], metric, row["main"]).mean(key(row, metric))


def verdicts(found: Scores, group: str, metric: str, best: pd.Series) -> dict[str, Verdict]:
    """What a study's pairs support of a row beside each other row of its group, by the other's `key`."""
    if metric in RUN:
        least = best[metric]
        rows = known(found, group, metric)
        return {key(row, metric): "not separated" if row[metric] == least else "higher" for row in rows}
    supported = {}
    for pair in pairs(found, group, metric):
        names = [key(row, metric) for row in (pair.first, pair.second)]
        if key(best, metric) in names:
            supported[next(name for name in names if name != key(best, metric))] = pair.verdict
    return supported


def further(found: Scores, group: str, best: pd.Series) -> Estimate | None:
    """How much further a row's pictures are from real ones than the nearest row's; see `Answer`."""
    nearest = nearest_row(found, group)
    if nearest is None or key(nearest, found.distance) == key(best, found.distance):
        return None
    difference = found.difference(best, nearest, found.distance)
    return difference if difference.count else None


def nearest_row(found: Scores, group: str) -> pd.Series | None:
    """The row of a group whose pictures lie nearest to real ones; None while none has a distance."""
    return next(iter(known(found, group, found.distance)), None)
