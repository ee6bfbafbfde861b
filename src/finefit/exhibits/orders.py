"""A paper's column for one data set beside this study's, as a table; `finefit.claims.orders` compares them."""

from __future__ import annotations

import math
from html import escape

from IPython.display import HTML

from finefit.analysis.decisions import verdict
from finefit.analysis.scores import Scores, anchor
from finefit.analysis.statistics import Estimate
from finefit.claims.orders import Line, agreement, column, spreads
from finefit.jobs.quantities import plural
from finefit.report.text import DASH, PENDING, heading, link, number, table


def beside(found: Scores, paper: str) -> HTML:
    """Per group whose data set the paper has a column for: places of the methods there and here, and differences."""
    parts = []
    for group, about in found.groups.items():
        lines = column(found, paper, group)
        if len(lines) > 1:
            parts.append(heading(f"{group}: {about['data']}", len(found.groups)) + compared(found, paper, lines))
    return HTML("".join(parts) or f'<p class="note">No data set of this study has a column in {escape(paper)}.</p>')


def compared(found: Scores, paper: str, lines: list[Line]) -> str:
    """A paper's column beside the study's, and how many pairs have the same order."""
    metric, first = found.distance, lines[0]
    ours = sorted(lines, key=lambda line: (math.isnan(line.row[metric].mean), line.row[metric].mean))
    body = []
    for place, line in enumerate(lines, 1):
        here = link(anchor(line.row), f"{ours.index(line) + 1}") if line.row[metric].count else PENDING
        further = f"{number(line.value - first.value)} above" if line is not first else "the nearest"
        cells = apart(found.difference(line.row, first.row, metric), line, first)
        body.append([escape(line.name), f"{place}<small>{further}</small>", here, *cells])
    head = ["method", f"place in {escape(paper)}<small>FID, one run, 256 pixels</small>"]
    head += [f"place here<small>{escape(metric)}</small>"]
    head += [f"further than {escape(first.name)}<small>in spreads between seeds</small>", "what that supports"]
    return table(head, body, "orders") + f'<p class="note">{agreed(found, lines)}</p>'


def apart(difference: Estimate, line: Line, first: Line) -> list[str]:
    """Two cells: how many spreads a method lies further than the paper's nearest, and what that supports."""
    if line is first:
        return ["", ""]
    return [number(spreads(difference)), verdict(difference)] if difference.count else [PENDING, DASH]


def agreed(found: Scores, lines: list[Line]) -> str:
    """How many pairs of methods have the paper's order here, and of those that the seeds separate."""
    counts = agreement(found, lines)
    if not counts.pairs:
        return "Pending: nothing of this is made yet."
    text = f"{counts.alike} of {plural(counts.pairs, 'pair')} of methods have the paper's order"
    return f"{text}; of the {counts.separated} that the seeds separate, {counts.separated_alike} do."
