"""A paper's column for one data set beside this study's: the order of methods, and how far apart they are.

Networks, judges and sizes differ, so no value of the study stands beside a value of the paper. What can be compared is
which method is nearer to real pictures than which. The paper reports one run; here every difference is in units of the
spread between seeds, the standard deviation of what is left of a method's score once its mean and the seed's are taken
away.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from html import escape
from itertools import combinations

import pandas as pd
from IPython.display import HTML

from finefit.analysis.decisions import verdict
from finefit.analysis.scores import Scores, anchor
from finefit.analysis.statistics import Estimate
from finefit.claims.selection import select
from finefit.exhibits.papers import published
from finefit.jobs.quantities import plural
from finefit.report.text import DASH, PENDING, heading, link, number, table

COMMON = "fid"  # the metric of the paper's columns


@dataclass(frozen=True)
class Line:
    """A method of a paper's column: its published value, and the row of `Scores.variants` that is it here."""

    name: str
    value: float
    row: pd.Series


def beside(found: Scores, paper: str) -> HTML:
    """Per group whose data set the paper has a column for: places of the methods there and here, and differences."""
    parts = []
    for group, about in found.groups.items():
        known = column(found, paper, group)
        if len(known) > 1:
            parts.append(heading(f"{group}: {about['data']}", len(found.groups)) + compared(found, paper, known))
    return HTML("".join(parts) or f'<p class="note">No data set of this study has a column in {escape(paper)}.</p>')


def column(found: Scores, paper: str, group: str) -> list[Line]:
    """The methods of a paper's column for a group's data set that the study has, the nearest of the paper first."""
    lines = []
    for row in published(paper):
        if row["data"] == found.groups[group]["data"] and row["metric"] == COMMON:
            wanted = {"method": row["method"]} | json.loads(row["settings"])
            own = select(found, group, wanted, like=None, freed=set())
            lines += [] if own is None else [Line(row["row"], float(row["value"]), own)]
    return sorted(lines, key=lambda line: line.value)


def compared(found: Scores, paper: str, known: list[Line]) -> str:
    """A paper's column beside the study's, and how many pairs have the same order."""
    metric, first = found.distance, known[0]
    ours = sorted(known, key=lambda line: (math.isnan(line.row[metric].mean), line.row[metric].mean))
    body = []
    for place, line in enumerate(known, 1):
        value = line.row[metric]
        here = link(anchor(line.row), f"{ours.index(line) + 1}") if value.count else PENDING
        further = f"{number(line.value - first.value)} above" if line is not first else "the nearest"
        text_below = f"{place}<small>{further}</small>"
        body.append(
            [escape(line.name), text_below, here, *apart(found.difference(line.row, first.row, metric), line, first)]
        )
    head = ["method", f"place in {escape(paper)}<small>FID, one run, 256 pixels</small>"]
    head += [f"place here<small>{escape(metric)}</small>"]
    head += [f"further than {escape(first.name)}<small>in spreads between seeds</small>", "what that supports"]
    return table(head, body, "orders") + f'<p class="note">{agreement(found, known)}</p>'


def apart(difference: Estimate, line: Line, first: Line) -> list[str]:
    """Two cells: how many spreads a method lies further than the paper's nearest, and what that supports."""
    if line is first:
        return ["", ""]
    return [number(spreads(difference)), verdict(difference)] if difference.count else [PENDING, DASH]


def spreads(difference: Estimate) -> float:
    """A difference of two means over seeds in standard deviations of one seed's residual; nan without an interval.

    The error of a difference of two means of s values is the square root of 2 / s times that deviation.
    """
    return difference.mean / (difference.error * math.sqrt(difference.count / 2)) if difference.error else math.nan


def agreement(found: Scores, known: list[Line]) -> str:
    """How many pairs of methods have the paper's order here, and of those that the seeds separate."""
    decided = {"lower": True, "higher": False}
    pairs = [found.difference(one.row, other.row, found.distance) for one, other in combinations(known, 2)]
    done = [pair for pair in pairs if pair.count]
    if not done:
        return "Pending: nothing of this is made yet."
    alike = sum(pair.mean < 0 for pair in done)
    separated = [decided[said] for pair in done if (said := verdict(pair)) in decided]
    text_below = f"{alike} of {plural(len(done), 'pair')} of methods have the paper's order"
    return f"{text_below}; of the {len(separated)} that the seeds separate, {sum(separated)} do."
