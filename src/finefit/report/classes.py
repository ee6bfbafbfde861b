"""What other classes would change: every pair of methods on scores that a single class has."""

from __future__ import annotations

from html import escape
from itertools import combinations, permutations

import pandas as pd

from finefit.analysis.blocks import Fit
from finefit.analysis.classes import METRICS, by_class
from finefit.analysis.collect import Results
from finefit.analysis.decisions import Verdict, verdict
from finefit.analysis.scores import key
from finefit.jobs.quantities import plural
from finefit.report.matrix import Better, drawer, matrix
from finefit.report.pairs import by_mean
from finefit.report.text import PENDING, emphasised, measured, per_group, table

BETTER: dict[str, Better] = {"class_accuracy": "higher", "superclass_accuracy": "higher", "diversity_probe": "neither"}


@per_group
def comparison(found: Results, group: str) -> str:
    """A matrix of all pairs of methods for each metric over the classes, and the differences in a drawer."""
    fits = {metric: by_class(found, group, metric) for metric in METRICS}
    rows = found.rows_of(group)
    body = [
        [
            f"{escape(first['variant'])} − {escape(second['variant'])}",
            *(cell(fits[metric], key(first, metric), key(second, metric), metric) for metric in METRICS),
        ]
        for first, second in combinations(rows, 2)
    ]
    if not body:
        return ""
    text = ""
    for metric, better in BETTER.items():
        names = by_mean(found, group, metric)[:: -1 if better == "higher" else 1]
        text += f"<h4>{metric}</h4>{matrix(verdicts(fits[metric], rows, metric), names, metric, better)}"
    title = f"Every pair: {plural(len(body), 'difference')} in each score, with intervals"
    return text + drawer(title, table(["pair", *METRICS], body, "classes"))


def verdicts(fit: Fit, rows: list[pd.Series], metric: str) -> dict[tuple[str, str], Verdict]:
    """What the classes support of every ordered pair of rows that both have the metric."""
    known = [row for row in rows if key(row, metric) in fit.values.index]
    return {
        (first["variant"], second["variant"]): verdict(fit.difference(key(first, metric), key(second, metric)))
        for first, second in permutations(known, 2)
    }


def cell(fit: Fit, first: str, second: str, metric: str) -> str:
    """A difference over classes with its interval; strong where the classes separate the two methods."""
    if not {first, second} <= set(fit.values.index):
        return PENDING
    difference = fit.difference(first, second)
    return emphasised(difference, measured(difference, metric))
