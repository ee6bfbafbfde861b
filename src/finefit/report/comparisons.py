"""Which methods a study can tell apart: every pair of them, seed by seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from itertools import combinations

import pandas as pd
from IPython.display import HTML

from finefit.report.collect import Results
from finefit.report.statistics import Estimate, Verdict, holm, verdict
from finefit.report.tables import of_group
from finefit.report.text import PENDING, heading, measured, number, probability, table


@dataclass(frozen=True)
class Pair:
    """Two rows of `Results.variants`, their paired difference, and its p-value after Holm's correction."""

    first: pd.Series
    second: pd.Series
    difference: Estimate
    p: float

    @property
    def verdict(self) -> Verdict:
        """What the difference supports among all pairs."""
        return verdict(self.difference, self.p)


def pairs(found: Results, group: str, metric: str = "fd_probe") -> list[Pair]:
    """Every pair of methods of a group at the main scale; p-values are Holm's over all of them."""
    rows = [row for _, row in of_group(found.main, group).iterrows()]
    both = list(combinations(rows, 2))
    differences = [found.difference(first, second, metric) for first, second in both]
    corrected = holm([difference.p for difference in differences])
    return [Pair(*rows, difference, p) for rows, difference, p in zip(both, differences, corrected, strict=True)]


def separations(found: Results) -> HTML:
    """Per group: every pair of methods at the main scale, what its difference supports, what could have been seen."""
    parts = []
    for group in found.references:
        rows = [
            [
                f"{escape(pair.first['variant'])} − {escape(pair.second['variant'])}",
                measured(pair.difference, "fd_probe"),
                "" if math.isnan(pair.p) else probability(pair.p),
                "" if math.isnan(pair.p) else number(pair.difference.detectable),
                sentence(pair),
            ]
            for pair in pairs(found, group)
        ]
        head = ["pair", "difference in fd_probe", "p<small>after Holm</small>"]
        head += ["smallest difference<small>that could have been seen</small>", "what it supports"]
        parts.append(heading(group, len(found.references)) + table(head, rows, "pairs"))
    return HTML("".join(parts))


def sentence(pair: Pair) -> str:
    """A pair's verdict in words."""
    supported = pair.verdict
    if supported in ("lower", "higher"):
        nearer = pair.first if supported == "lower" else pair.second
        return f"<strong>{escape(nearer['variant'])}</strong> is nearer to real pictures"
    return {"one seed": "one seed in common: no interval, no ranking", "pending": PENDING}.get(supported, supported)
