"""What other classes would change: every pair of methods on scores that a single class has."""

from __future__ import annotations

from html import escape
from itertools import combinations

from IPython.display import HTML

from finefit.analysis.blocks import Fit
from finefit.analysis.classes import METRICS, by_class
from finefit.analysis.collect import Results
from finefit.analysis.decisions import verdict
from finefit.analysis.scores import key, of_group
from finefit.report.text import PENDING, heading, measured, table


def comparison(found: Results) -> HTML:
    """Per group: every pair of methods at the main scale, its difference in each metric over the classes."""
    parts = []
    for group in found.groups:
        fits = {metric: by_class(found, group, metric) for metric in METRICS}
        rows = [row for _, row in of_group(found.main, group).iterrows()]
        body = [
            [
                f"{escape(first['variant'])} − {escape(second['variant'])}",
                *(cell(fits[metric], key(first, metric), key(second, metric), metric) for metric in METRICS),
            ]
            for first, second in combinations(rows, 2)
        ]
        parts.append(heading(group, len(found.groups)) + table(["pair", *METRICS], body, "classes"))
    return HTML("".join(parts))


def cell(fit: Fit, first: str, second: str, metric: str) -> str:
    """A difference over classes with its interval; strong where the classes separate the two methods."""
    if not {first, second} <= set(fit.values.index):
        return PENDING
    difference = fit.difference(first, second)
    text = measured(difference, metric)
    return f"<strong>{text}</strong>" if verdict(difference) in ("lower", "higher") else text
