"""The effects of embedder, guidance and LayerNorm as the reader sees them; a study that varies none is told so."""

from __future__ import annotations

import math
from html import escape

import pandas as pd
from IPython.display import HTML

from finefit.analysis.collect import Results
from finefit.analysis.factors import FACTORS, Effect, effects, pairs_of
from finefit.analysis.scores import anchor
from finefit.jobs.quantities import plural
from finefit.report.drawers import made_from
from finefit.report.sheets import compared_rows
from finefit.report.style import FAINT, chart, panels
from finefit.report.text import PENDING, heading, link, measured, per_group, probability, table

NAMES = {
    "embedder": "tiered embedder",
    "sum": "superclass added",
    "guidance": "superclass guidance",
    "norm_affine": "trained LayerNorm",
}
ABSENT = '<span class="note">not varied in this study</span>'


@per_group
def contributions(results: Results, group: str) -> str:
    """What each factor adds to each metric, with interval and corrected p-value."""
    known = {(effect.factor, effect.metric): effect for effect in effects(results, group)}
    body, columns = [], results.headline
    for factor, name in NAMES.items():
        pairs = pairs_of(results, group, factor)
        factor_cell = f"{name}<small>{plural(len(pairs), 'pair')} of rows</small>"
        shown = [cell(known[factor, metric]) for metric in columns] if pairs else [ABSENT] * len(columns)
        body.append([factor_cell, *shown])
    return table(["adds", *columns], body, "factors")


def cell(effect: Effect) -> str:
    """An effect with its interval and p-value, leading to the first row that it was computed from."""
    if not effect.estimate.count:
        return PENDING
    p = "" if math.isnan(effect.p) else f"<small>p {probability(effect.p)}</small>"
    return link(anchor(effect.pairs[0][0]), measured(effect.estimate, effect.metric)) + p


def picture(results: Results) -> HTML:
    """The effects as points with intervals, a panel per metric."""
    groups = [group for group in results.references if any(e.estimate.count for e in effects(results, group))]
    if not groups:
        varied = any(pairs_of(results, group, factor) for group in results.references for factor in FACTORS)
        return HTML(f"<p>{PENDING if varied else ABSENT}</p>")
    group = groups[0]
    figure, axes = panels(2, 2.1, 2)
    shown = [effect for effect in effects(results, group) if effect.estimate.count]
    for axis, metric in zip(axes, results.headline, strict=True):
        part = [effect for effect in shown if effect.metric == metric]
        for place, effect in enumerate(part):
            half = None if math.isnan(effect.estimate.half) else effect.estimate.half
            axis.errorbar(effect.estimate.mean, place, xerr=half, fmt="o", color="#0072b2", capsize=3)
        axis.axvline(0, color=FAINT, linewidth=1)
        axis.set(title=metric, yticks=range(len(part)), ylim=(-0.6, len(part) - 0.4))
        axis.locator_params(axis="x", nbins=4)
        axis.set_yticklabels([NAMES[effect.factor] for effect in part])
    rows = pd.DataFrame([row for effect in shown for pair in effect.pairs for row in pair])
    return chart(
        figure,
        "Effect of each factor on each metric with its 95 % interval",
        f"{escape(group)}. What a factor adds; an interval that crosses zero supports no direction.",
        made_from(rows.drop_duplicates("variant")),
    )


def pictures(results: Results) -> HTML:
    """Samples of every row that takes part in an effect: same label, same noise."""
    parts = []
    for group in results.references:
        taking = {row["variant"] for factor in FACTORS for pair in pairs_of(results, group, factor) for row in pair}
        rows = [row for row in results.rows_of(group) if row["variant"] in taking]
        if taking:
            parts.append(heading(group, len(results.references)) + compared_rows(results, group, rows))
    return HTML("".join(parts) or f"<p>{ABSENT}</p>")
