"""Which methods a study can tell apart: every pair of them, in blocks of seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from IPython.display import HTML

from finefit.analysis.blocks import PAIRS, Fit
from finefit.analysis.collect import Results
from finefit.analysis.pairs import DECIDED, Pair, decided_by, pairs
from finefit.analysis.statistics import ALPHA, critical
from finefit.report.text import PENDING, heading, measured, number, plural, probability, shown, table


def separations(found: Results) -> HTML:
    """Per group: how precise the study is, then every pair of methods at the main scale and what it supports."""
    parts = []
    for group in found.groups:
        every = pairs(found, group)
        rows = [
            [
                f"{escape(pair.first['variant'])} − {escape(pair.second['variant'])}",
                measured(pair.difference, "fd_probe"),
                "" if math.isnan(pair.difference.p) else probability(pair.difference.p),
                sentence(pair),
                decided_by(pair),
            ]
            for pair in every
        ]
        head = ["pair", "difference in fd_probe", "p<small>for all pairs together</small>", "what it supports"]
        head.append("seeds that would decide<small>in all</small>")
        told = f'<p class="note">{precision(found.fit(group, "fd_probe", True), every)}</p>'
        parts.append(heading(group, len(found.groups)) + told + table(head, rows, "pairs"))
    return HTML("".join(parts))


def precision(fit: Fit, every: Sequence[Pair]) -> str:
    """The model's residual deviation, and what follows from it: the difference that separates, how many pairs do."""
    if not fit.freedom:
        return "No two methods with two seeds in common that differ: no interval, no ranking."
    decided = sum(pair.verdict in DECIDED for pair in every)
    methods, blocks = fit.used.shape
    least = critical(ALPHA / fit.stricter(PAIRS), methods, fit.freedom) * math.sqrt(2 * fit.pooled / blocks)
    text = f"Once what seeds do to all methods is taken out, a value scatters by {number(math.sqrt(fit.pooled))} "
    text += f"({plural(fit.freedom, 'degree')} of freedom). Differences of {number(least)} or more separate two methods"
    louder = [name for name in fit.used.index if fit.variances[name] > fit.pooled]
    text += (
        f"; more is needed of {escape(', '.join(louder))}, which scatter more than the average. " if louder else ". "
    )
    left_out = [name for name in fit.values.index if name not in fit.used.index]
    text += f"Left out, since runs are missing: {escape(', '.join(left_out))}. " if left_out else ""
    return text + f"Decided: {decided} of {plural(len(every), 'pair')}."


def sentence(pair: Pair) -> str:
    """A pair's verdict in words."""
    supported = pair.verdict
    if supported in ("lower", "higher"):
        nearer = pair.first if supported == "lower" else pair.second
        return f"<strong>{escape(nearer['variant'])}</strong> is nearer to real pictures"
    if supported == "equal within the margin":
        return f"equal within {shown(pair.margin, 'fd_probe')}"
    told = {
        "one seed": "one seed in common: no interval, no ranking",
        "no interval": "runs are missing, or seeds give the same: no interval, no ranking",
        "pending": PENDING,
    }
    return told.get(supported, supported)
