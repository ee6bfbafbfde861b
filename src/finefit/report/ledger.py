"""The claims ledger as the reader sees it: every claim with its verdict, its rule and what decided it."""

from __future__ import annotations

import math
from collections import Counter
from html import escape
from typing import get_args

from IPython.display import HTML

from finefit.report import rules
from finefit.report.claims import Judged, judge
from finefit.report.collect import Results
from finefit.report.drawers import anchor
from finefit.report.text import PENDING, link, measured, number, probability, table

ORDER = get_args(rules.Verdict)
NOT_RUN = ("not run at this size", "not run yet")
CERTAINTY = {
    "printed": "printed",
    "figure": "read off a figure",
    "second-hand": "second-hand",
    "deduced": "deduced",
}


def summary(found: Results) -> HTML:
    """How many claims have which verdict, and the table of those that this study could look at."""
    judged = judge(found)
    numbers = Counter(one.verdict for one in judged)
    told = "".join(f"<div><dt>{badge(name)}</dt><dd>{numbers[name]}</dd></div>" for name in ORDER if numbers[name])
    run = [one for one in judged if one.verdict not in NOT_RUN]
    rest = len(judged) - len(run)
    more = f'<p><a href="claims.html">All {len(judged)} claims with their rules and sources</a>'
    more += f"; {rest} of them need data, metrics or settings that this study does not have.</p>" if rest else ".</p>"
    return HTML(f'<dl class="facts">{told}</dl>{rows(run)}{more}')


def every_claim(found: Results, paper: str | None = None) -> HTML:
    """Every claim (of one paper, or of both) with its rule and source."""
    return HTML(rows([one for one in judge(found) if paper in (None, one.claim.paper)], full=True))


def rows(judged: list[Judged], full: bool = False) -> str:
    """A table of claims; `full` adds the rule and the source."""
    head = ["claim", "verdict", "published", "ours<small>this study's data and metric</small>"]
    head += ["rule", "source"] if full else ["paper"]
    body = []
    for one in judged:
        claim = one.claim
        published = f"{escape(claim.published)} {escape(claim.unit)}".replace("-", "−").strip() or "direction only"
        cells = [escape(claim.claim), badge(one.verdict), published, "<br>".join(ours(one))]
        certainty = CERTAINTY[claim.certainty]
        source = f"{claim.paper}, {escape(claim.source)}<small>{certainty}</small>"
        body.append([*cells, *([rules.text(claim.rule), source] if full else [claim.paper])])
    return table(head, body, "claims")


def ours(one: Judged) -> list[str]:
    """What was found, a line per data set, each number with the runs it was made from."""
    lines = []
    for finding, p in zip(one.findings, one.p_values, strict=True):
        if finding.absent:
            lines.append(f'<span class="note">{escape(finding.absent)} in this study</span>')
            continue
        exact = not finding.rows and finding.estimate.error == 0
        text = number(finding.estimate.mean, 5) if exact else measured(finding.estimate, "")
        if finding.rows and finding.estimate.count:
            text = link(anchor(finding.rows[0]), text)
        told = [finding.where, finding.metric, "" if math.isnan(p) else f"p {probability(p)}"]
        lines.append(f"{text} {escape(one.claim.unit)}<small>{escape(', '.join(filter(None, told)))}</small>")
    return lines or [PENDING]


def badge(name: str) -> str:
    """A verdict as a coloured word."""
    return f'<span class="verdict {name.split(" at ")[0].replace(" ", "-")}">{name}</span>'
