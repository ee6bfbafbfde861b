"""Which methods a study can tell apart: every pair of them, seed by seed."""

from __future__ import annotations

from html import escape
from itertools import combinations

import pandas as pd
from IPython.display import HTML

from finefit.report.collect import Results
from finefit.report.statistics import Estimate, Verdict, paired, verdict
from finefit.report.tables import of_group
from finefit.report.text import PENDING, heading, measured, table


def separations(found: Results) -> HTML:
    """Per group: every pair of methods at the main scale, paired over seeds, and what that supports."""
    parts = []
    for group in found.references:
        rows = []
        for (_, first), (_, second) in combinations(of_group(found.main, group).iterrows(), 2):
            difference = differing(found, first, second, "fd_probe")
            pair = f"{escape(first['variant'])} − {escape(second['variant'])}"
            rows.append([pair, measured(difference, "fd_probe"), sentence(verdict(difference), first, second)])
        head = ["pair", "difference in fd_probe", "what it supports"]
        parts.append(heading(group, len(found.references)) + table(head, rows, "pairs"))
    return HTML("".join(parts))


def differing(found: Results, first: pd.Series, second: pd.Series, metric: str) -> Estimate:
    """Paired difference over seeds of two rows of `Results.variants`."""

    def by_seed(row: pd.Series) -> dict[int, float]:
        known = found.seeds_of(row).dropna(subset=[metric])
        return dict(zip(known["seed"], known[metric], strict=True))

    return paired(by_seed(first), by_seed(second))


def sentence(supported: Verdict, first: pd.Series, second: pd.Series) -> str:
    """A verdict in words."""
    if supported in ("lower", "higher"):
        nearer = first if supported == "lower" else second
        return f"<strong>{escape(nearer['variant'])}</strong> is nearer to real pictures"
    return {"one seed": "one seed in common: no interval, no ranking", "pending": PENDING}.get(supported, supported)
