"""Every pair of methods of a study, in blocks of seeds: how they differ, and what that supports."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from finefit.analysis.decisions import MARGIN, MOST_SEEDS, Verdict, seeds_to_decide, verdict
from finefit.analysis.scores import OF_RUN, Scores, of_group
from finefit.analysis.statistics import Estimate


@dataclass(frozen=True)
class Pair:
    """Two rows of `Scores.variants`, their difference as one of all pairs, and what counts as equal."""

    first: pd.Series
    second: pd.Series
    difference: Estimate
    margin: float

    @property
    def verdict(self) -> Verdict:
        """What the difference supports among all pairs."""
        return verdict(self.difference, self.margin)

    @property
    def seeds(self) -> int | None:
        """How many seeds would decide, if all stays as it is; None above the most that is looked at."""
        return seeds_to_decide(self.difference, self.margin)


def pairs(found: Scores, group: str, metric: str) -> list[Pair]:
    """Every pair of methods of a group at the main scale; equal is what differs by less than the margin's share.

    Of a score that a run has by itself, an entry stands once however many ways it is sampled.
    """
    known = of_group(found.main, group)
    if metric in OF_RUN:
        known = known.drop_duplicates("entry").assign(variant=lambda table: table["entry"])
    rows = [row for _, row in known.iterrows()]
    return [
        Pair(first, second, found.difference(first, second, metric), MARGIN * abs(second[metric].mean))
        for first, second in combinations(rows, 2)
    ]


def decided_by(pair: Pair) -> str:
    """How many seeds would decide a pair that is open."""
    if pair.verdict != "not separated":
        return ""
    return f"more than {MOST_SEEDS}" if pair.seeds is None else f"{pair.seeds}"
