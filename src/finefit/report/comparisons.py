"""Which methods a study can tell apart: every pair of them, in blocks of seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import combinations

import pandas as pd
from IPython.display import HTML

from finefit.report.blocks import PAIRS, Fit
from finefit.report.collect import Results
from finefit.report.decisions import MARGIN, MOST_SEEDS, Verdict, seeds_to_decide, verdict
from finefit.report.scores import OF_RUN, Scores
from finefit.report.statistics import ALPHA, Estimate, critical
from finefit.report.tables import of_group
from finefit.report.text import PENDING, heading, measured, number, plural, probability, shown, table

DECIDED: tuple[Verdict, ...] = ("lower", "higher", "equal within the margin")


@dataclass(frozen=True)
class Pair:
    """Two rows of `Scores.variants`, their difference as one of all pairs, and what counts as equal."""

    first: pd.Series
    second: pd.Series
    difference: Estimate
    margin: float

    @property
    def verdict(self) -> Verdict:
        """What the difference supports among all pairs."""
        return verdict(self.difference, self.margin)

    @property
    def seeds(self) -> int | None:
        """How many seeds would decide, if all stays as it is; None above the most that is looked at."""
        return seeds_to_decide(self.difference, self.margin)


def pairs(found: Scores, group: str, metric: str = "fd_probe") -> list[Pair]:
    """Every pair of methods of a group at the main scale; equal is what differs by less than the margin's share.

    Of a score that a run has by itself, an entry stands once however many ways it is sampled.
    """
    known = of_group(found.main, group)
    if metric in OF_RUN:
        known = known.drop_duplicates("entry").assign(variant=lambda table: table["entry"])
    rows = [row for _, row in known.iterrows()]
    return [
        Pair(first, second, found.difference(first, second, metric), MARGIN * abs(second[metric].mean))
        for first, second in combinations(rows, 2)
    ]


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


def decided_by(pair: Pair) -> str:
    """How many seeds would decide a pair that is open."""
    if pair.verdict != "not separated":
        return ""
    return f"more than {MOST_SEEDS}" if pair.seeds is None else f"{pair.seeds}"
