"""Which methods a study can tell apart: every pair, as a square and a table of a page, as lines of a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from finefit.analysis.blocks import PAIRS, Fit
from finefit.analysis.collect import Results
from finefit.analysis.decisions import DECIDED, SEPARATED, Verdict
from finefit.analysis.pairs import Pair, decided_by, pairs
from finefit.analysis.scores import Scores, of_group
from finefit.jobs.quantities import plural
from finefit.report.matrix import drawer, matrix
from finefit.report.text import PENDING, measured, number, per_group, probability, shown, table

OPPOSITE: dict[Verdict, Verdict] = {"lower": "higher", "higher": "lower"}


@per_group
def separations(found: Results, group: str) -> str:
    """How precise the study is, a matrix of what every pair of methods supports, all pairs in a drawer.

    Nothing of one seed: no pair has an interval.
    """
    metric = found.distance
    every = pairs(found, group, metric)
    if not every or len(found.study.seeds) < 2:
        return ""
    rows = [
        [
            f"{escape(pair.first['variant'])} − {escape(pair.second['variant'])}",
            measured(pair.difference, metric),
            "" if math.isnan(pair.difference.p) else probability(pair.difference.p),
            sentence(pair, metric),
            decided_by(pair),
        ]
        for pair in every
    ]
    head = ["pair", f"difference in {metric}", "p<small>for all pairs together</small>", "what it supports"]
    head.append("seeds that would decide<small>in all</small>")
    note = f'<p class="note">{precision(found.fit(group, metric, True), every)}</p>'
    square = matrix(verdicts(every), by_mean(found, group, metric), metric)
    title = f"Every pair: {plural(len(every), 'difference')} with intervals"
    return note + square + drawer(title, table(head, rows, "pairs"))


def verdicts(every: Sequence[Pair]) -> dict[tuple[str, str], Verdict]:
    """What is supported of every ordered pair of variants."""
    there = {(pair.first["variant"], pair.second["variant"]): pair.verdict for pair in every}
    return there | {(second, first): OPPOSITE.get(told, told) for (first, second), told in there.items()}


def by_mean(found: Scores, group: str, metric: str) -> list[str]:
    """Variants of a group at the main scale, the lowest mean first; those without one last."""
    known = of_group(found.main, group)
    order = known[metric].map(lambda estimate: estimate.mean).sort_values(kind="stable", na_position="last")
    return list(known.loc[order.index, "variant"])


def precision(fit: Fit, every: Sequence[Pair]) -> str:
    """The model's residual deviation, and what follows from it: the difference that separates, how many pairs do."""
    if not fit.freedom:
        return "No two methods with two seeds in common that differ: no interval, no ranking."
    decided = sum(pair.verdict in DECIDED for pair in every)
    least = fit.least(fit.stricter(PAIRS))
    text = f"Once what seeds do to all methods is taken out, a value scatters by {number(math.sqrt(fit.pooled))} "
    text += f"({plural(fit.freedom, 'degree')} of freedom). Differences of {number(least)} or more separate two methods"
    louder = [name for name in fit.used.index if fit.variances[name] > fit.pooled]
    text += (
        f"; more is needed of {escape(', '.join(louder))}, which scatter more than the average. " if louder else ". "
    )
    left_out = [name for name in fit.values.index if name not in fit.used.index]
    text += f"Left out, since runs are missing: {escape(', '.join(left_out))}. " if left_out else ""
    return text + f"Decided: {decided} of {plural(len(every), 'pair')}."


def sentence(pair: Pair, metric: str) -> str:
    """A pair's verdict in words."""
    supported = pair.verdict
    if supported in SEPARATED:
        nearer = pair.first if supported == "lower" else pair.second
        return f"<strong>{escape(nearer['variant'])}</strong> is nearer to real pictures"
    if supported == "equal within the margin":
        return f"equal within {shown(pair.margin, metric)}"
    told = {
        "one seed": "one seed in common: no interval, no ranking",
        "no interval": "runs are missing, or seeds give the same: no interval, no ranking",
        "pending": PENDING,
    }
    return told.get(supported, supported)


def as_text(found: Scores, metric: str) -> str:
    """A line per metric and group, then every pair of one metric.

    Raises:
        ValueError: no group has values of the metric.
    """
    lines = [f"{'':<24}{'seeds':>6}{'residual sd':>13}{'df':>5}{'HSD':>9}{'separate by it':>16}{'decided here':>14}"]
    for group in found.groups:
        lines += [summary(found, group, name) for name in found.metrics if found.fit(group, name, True).freedom]
    if len(lines) == 1:
        raise ValueError("no metric has two methods with two seeds in common that differ: there is nothing to compare")
    lines += [
        "",
        "HSD: Tukey's honest significant difference for equally variable methods. Decided here: with a method's",
    ]
    lines += ["own variance where that is larger, at the level that one loud method costs.", ""]
    for group in found.groups:
        lines += [f"{metric}, {group}", *(line(pair) for pair in pairs(found, group, metric))]
    return "\n".join(lines)


def summary(found: Scores, group: str, metric: str) -> str:
    """One metric of one group: precision, the textbook's separated pairs, and those decided here."""
    fit, every = found.fit(group, metric, True), pairs(found, group, metric)
    least = fit.least()
    textbook = sum(abs(pair.difference.mean) > least for pair in every)
    decided = sum(pair.verdict in DECIDED for pair in every)
    name = f"{metric}, {group}" if len(found.groups) > 1 else metric
    precision = f"{math.sqrt(fit.pooled):>13.4g}{fit.freedom:>5}{least:>9.3g}"
    return f"{name:<24}{fit.used.shape[1]:>6}{precision}{f'{textbook} of {len(every)}':>16}{f'{decided}':>14}"


def line(pair: Pair) -> str:
    """A pair's difference with its interval, its verdict, and how many seeds would decide."""
    names = f"{pair.first['variant']} - {pair.second['variant']}"
    seeds = decided_by(pair)
    wait = f" ({seeds} seeds would decide)" if seeds else ""
    return f"  {names:<52}{pair.difference.mean:>9.3g} +- {pair.difference.half:<8.2g} {pair.verdict}{wait}"
