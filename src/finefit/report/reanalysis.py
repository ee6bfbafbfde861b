"""A finished report's values by seed compared anew, as text: how precise each metric is and which pairs are decided."""

from __future__ import annotations

import math

from finefit.analysis.blocks import Fit
from finefit.analysis.pairs import DECIDED, Pair, decided_by, pairs
from finefit.analysis.scores import Scores
from finefit.analysis.statistics import ALPHA, critical


def told(found: Scores, metric: str) -> str:
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
        lines += [f"{metric}, {group}", *(of_pair(pair) for pair in pairs(found, group, metric))]
    return "\n".join(lines)


def summary(found: Scores, group: str, metric: str) -> str:
    """One metric of one group: precision, the textbook's separated pairs, and those decided here."""
    fit, every = found.fit(group, metric, True), pairs(found, group, metric)
    least = honest_difference(fit)
    textbook = sum(abs(pair.difference.mean) > least for pair in every)
    decided = sum(pair.verdict in DECIDED for pair in every)
    name = f"{metric}, {group}" if len(found.groups) > 1 else metric
    precision = f"{math.sqrt(fit.pooled):>13.4g}{fit.freedom:>5}{least:>9.3g}"
    return f"{name:<24}{fit.used.shape[1]:>6}{precision}{f'{textbook} of {len(every)}':>16}{f'{decided}':>14}"


def honest_difference(fit: Fit) -> float:
    """Tukey's honest significant difference at 5 % for equally variable methods: q(m, df) sqrt(MS_residual / s)."""
    methods, blocks = fit.used.shape
    return critical(ALPHA, methods, fit.freedom) * math.sqrt(2 * fit.pooled / blocks)


def of_pair(pair: Pair) -> str:
    """A pair's difference with its interval, its verdict, and how many seeds would decide."""
    names = f"{pair.first['variant']} - {pair.second['variant']}"
    seeds = decided_by(pair)
    wait = f" ({seeds} seeds would decide)" if seeds else ""
    return f"  {names:<52}{pair.difference.mean:>9.3g} +- {pair.difference.half:<8.2g} {pair.verdict}{wait}"
