"""The claims as one study sees them: every claim with its verdict, its rule and what decided it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from html import escape

from IPython.display import HTML

from finefit.analysis.collect import Results
from finefit.analysis.decisions import MOST_SEEDS, seeds_to_decide
from finefit.analysis.own import is_own
from finefit.analysis.scores import anchor
from finefit.claims import rules
from finefit.claims.verdicts import RIVALS, Judged, Tested, judge, tests_any
from finefit.report.text import PENDING, link, measured, number, probability, table

CERTAINTY = {
    "printed": "printed",
    "figure": "read off a figure",
    "second-hand": "second-hand",
    "deduced": "deduced",
}


def summary(results: Results) -> HTML:
    """How many claims have which verdict, and the table of those that this study could look at.

    Nothing of it on a page of somebody's own pictures whose runs test none.
    """
    if is_own(results) and not tests_any(results):
        return HTML("")
    judged = judge(results)
    run = [one for one in judged if one.verdict not in rules.NOT_RUN]
    rest = len(judged) - len(run)
    more = f'<p><a href="claims.html">All {len(judged)} claims with their rules and sources</a>'
    more += f"; {rest} of them need data, metrics or settings that this study does not have.</p>" if rest else ".</p>"
    return HTML(counted(one.verdict for one in judged) + rows(run) + more)


def counted(verdicts: Iterable[str]) -> str:
    """How many claims have which verdict."""
    numbers = Counter(verdicts)
    shown = [f"<div><dt>{badge(name)}</dt><dd>{numbers[name]}</dd></div>" for name in rules.VERDICTS if numbers[name]]
    return f'<dl class="facts">{"".join(shown)}</dl>'


def every_claim(results: Results, *papers: str) -> HTML:
    """Every claim (of some papers, or of all) with its rule and source."""
    return HTML(rows([one for one in judge(results) if not papers or one.claim.paper in papers], full=True))


def rivals(results: Results) -> HTML:
    """The claims of those who claim to beat the two papers."""
    return every_claim(results, *RIVALS)


def rows(judged: list[Judged], full: bool = False) -> str:
    """A table of claims; `full` adds the rule and the source."""
    head = ["claim", "verdict", "published", "ours<small>this study's data and metric</small>"]
    head += ["rule", "source"] if full else ["paper"]
    body = []
    for one in judged:
        claim = one.claim
        cells = [
            escape(claim.claim),
            badge(one.verdict),
            published(claim.published, claim.unit),
            "<br>".join(ours(one)),
        ]
        rule, where = escape(rules.text(claim.rule)), source(f"{claim.paper}, {claim.source}", claim.certainty)
        body.append([*cells, *([rule, where] if full else [claim.paper])])
    return table(head, body, "claims")


def ours(one: Judged) -> list[str]:
    """What was found, a line per data set, each number with the runs it was made from."""
    lines = []
    for tested in one.tested:
        finding = tested.finding
        if finding.absent:
            lines.append(f'<span class="note">{escape(finding.absent)} in this study</span>')
            continue
        exact = not finding.rows and finding.estimate.error == 0
        text = number(finding.estimate.mean, 5) if exact else measured(finding.estimate, "")
        if finding.rows and finding.estimate.count:
            text = link(anchor(finding.rows[0]), text)
        text_below = ", ".join(filter(None, [finding.where, finding.metric, *reasons(tested)]))
        lines.append(f"{text} {escape(one.claim.unit)}<small>{escape(text_below)}</small>")
    return lines or [PENDING]


def reasons(tested: Tested) -> list[str]:
    """Why a difference has its verdict: p-values, the margin, and how many seeds would decide what is open."""
    if math.isnan(tested.p):
        return []
    text_below = [f"p {probability(tested.p)}"]
    if not math.isnan(tested.p_equal):
        text_below.append(
            f"p {probability(tested.p_equal)} against a difference of the margin, {number(tested.margin)}, or more"
        )
    if tested.verdict == "inconclusive":
        text_below.append(open_yet(seeds_to_decide(tested.finding.estimate, tested.margin)))
    return text_below


def published(value: str, unit: str) -> str:
    """What the paper printed."""
    return f"{escape(value)} {escape(unit)}".replace("-", "−").strip() or "direction only"


def source(place: str, certainty: str) -> str:
    """Where it is printed, and how certain that is."""
    return f"{escape(place)}<small>{CERTAINTY[certainty]}</small>"


def open_yet(seeds: int | None) -> str:
    """How many seeds would decide what is open."""
    return f"{seeds} seeds would decide" if seeds else f"more than {MOST_SEEDS} seeds would decide"


def badge(name: str) -> str:
    """A verdict as a coloured word."""
    return f'<span class="verdict {name.split(" at ")[0].replace(" ", "-")}">{name}</span>'
