"""The page's first words: which method to take for which end. The rule itself is `finefit.analysis.answer`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd

from finefit.analysis.answer import Answer, End, answers, nearest_row
from finefit.analysis.collect import Results
from finefit.analysis.scores import OF_RUN, RUN, Scores, anchor
from finefit.jobs.quantities import duration, size
from finefit.report.judging import grey
from finefit.report.text import PENDING, link, measured, number, per_group

LEADS: dict[End, str] = {
    "nearest pictures": "For the <strong>nearest pictures</strong>",
    "smallest file": "For the <strong>smallest file</strong>",
    "cheapest training": "For the <strong>cheapest training</strong>",
    "least forgetting": "To <strong>forget least</strong> of what the base could draw",
}


@per_group
def which(found: Results, group: str) -> str:
    """A sentence for every end that the study has measured."""
    sentences = [sentence(found, one, found.failures(group)) for one in answers(found, group)]
    lines = "".join(f"<li>{line}</li>" for line in sentences)
    return f'<ul class="answers">{lines}</ul>' if lines else f'<p class="answers">{alone(found, group)}</p>'


def sentence(found: Scores, one: Answer, failed: dict[str, str] | None = None) -> str:
    """An answer in a sentence or two; `failed` says of which scores the judge is not to be relied on."""
    lead, best = LEADS[one.end], f"<strong>{named(one.best, one.metric)}</strong>"
    value = grey(f"({reached(one)})", (failed or {}).get(one.metric))
    if one.decided:
        return f"{lead} take {best} {value}{others(one)}. {price(found, one)}".strip()
    if one.metric in RUN:
        return f"{lead} take any: all are as small as that of {best} {value}."
    if one.beside or one.equal:
        return f"{lead} no method is separated from {best} {value}{missing(one)}."
    why = "it takes two seeds" if one.value.count < 2 else "these seeds give no interval"
    return f"{lead} nothing is decided yet: {why}. So far {best} is ahead {value}."


def others(one: Answer) -> str:
    """What stands beside the best, after a comma or a semicolon; of a counted size nothing but ties."""
    if one.metric in RUN:
        return f"; {listed(one.beside, one.metric)} has as small a one" if one.beside else ""
    if one.alone:
        return ", from which every other method is separated"
    parts = []
    for rows, words in ((one.equal, "equal to it within the margin"), (one.beside, "not separated from it")):
        if rows:
            parts.append(f"{listed(rows, one.metric)} {'is' if len(rows) == 1 else 'are'} {words}")
    return "".join(f"; {part}" for part in parts) + missing(one)


def missing(one: Answer) -> str:
    """The methods of which too little is known."""
    return f"; of {listed(one.unknown, one.metric)} runs are missing" if one.unknown else ""


def price(found: Scores, one: Answer) -> str:
    """What an end costs in pictures: how much further from real ones than those of the method that is nearest."""
    if one.further is None:
        return "" if one.metric == found.distance else "Its pictures are the nearest, too."
    nearest = named(nearest_row(found, one.best["group"]), found.distance)
    told = measured(one.further, found.distance)
    if one.further.p < 0.05:
        return f"Its pictures lie {told} further from real ones than those of {nearest}."
    return f"Its pictures are not separated from those of {nearest} ({told} further)."


def reached(one: Answer) -> str:
    """The best's value in its unit, with its interval where it has one."""
    if one.metric == "delta_bytes":
        return f"{size(one.value.mean)}, {number(100 * one.best['trained_share'])} % of the parameters"
    if one.metric == "train_seconds":
        half = "" if one.value.half != one.value.half else f' <span class="half">± {duration(one.value.half)}</span>'
        return f"{duration(one.value.mean)}{half}"
    return f"{one.metric} {measured(one.value, one.metric)}"


def named(row: pd.Series, metric: str) -> str:
    """A row's name, with a link to how it was made; of a score that a run has by itself the entry's."""
    return link(anchor(row), escape(row["entry"] if metric in (*RUN, *OF_RUN) else row["variant"]))


def listed(rows: Sequence[pd.Series], metric: str) -> str:
    """Rows' names: "a", "a and b", "a, b and c"."""
    names = [named(row, metric) for row in rows]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def alone(found: Results, group: str) -> str:
    """What is said where fewer than two methods have been evaluated."""
    rows = [row for row in found.rows_of(group) if row[found.distance].count]
    if not rows:
        return f"{PENDING}: nothing is evaluated yet."
    value = f"{found.distance} {measured(rows[0][found.distance], found.distance)}"
    return f"Only {named(rows[0], found.distance)} is evaluated ({value}): there is nothing to choose between."
