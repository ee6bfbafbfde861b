"""What embedder, guidance and LayerNorm contribute, each by itself.

FineDiffusion changes all three at once against baselines with none of them, so its comparison cannot say what helps.
Here each factor's effect is the mean difference over all pairs of rows that differ in that factor alone. Rows are found
by the settings of their entries; a study that varies a factor nowhere is told so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

import pandas as pd
from IPython.display import HTML

from finefit.analysis.collect import Results
from finefit.analysis.scores import anchor
from finefit.analysis.statistics import Estimate, holm
from finefit.claims.selection import settings_of
from finefit.report.drawers import made_from
from finefit.report.sheets import compared_rows
from finefit.report.style import FAINT, chart, panels
from finefit.report.text import PENDING, heading, link, measured, plural, probability, table

FACTORS = {  # factor: the setting, and its levels, the changed one first
    "embedder": ("embedder", "tiered", "flat"),
    "sum": ("embedder", "summed", "tiered"),
    "guidance": ("guidance", "superclass", "null"),
    "norm_affine": ("norm_affine", True, False),
}
NAMES = {
    "embedder": "tiered embedder",
    "sum": "superclass added",
    "guidance": "superclass guidance",
    "norm_affine": "trained LayerNorm",
}
METRICS = ("fd_probe", "diversity_probe", "class_accuracy", "superclass_accuracy")
ABSENT = '<span class="note">not varied in this study</span>'


@dataclass(frozen=True)
class Effect:
    """A factor's effect on a metric: over which pairs, the estimate, and its p-value after Holm's correction.

    The estimate's interval is one of all that are told together (Bonferroni).
    """

    factor: str
    metric: str
    pairs: list[tuple[pd.Series, pd.Series]]
    estimate: Estimate
    p: float


def cells(found: Results, group: str) -> list[tuple[dict, pd.Series]]:
    """Rows of `Results.main` of a group with the factors' levels, and all else that must agree between two of them."""
    rows = []
    for _, row in found.main[(found.main["group"] == group) & (found.main["guidance"] != "none")].iterrows():
        settings = settings_of(found.plan.study, row["entry"])
        rows.append((settings | {"guidance": row["guidance"]}, row))
    return rows


def pairs_of(found: Results, group: str, factor: str) -> list[tuple[pd.Series, pd.Series]]:
    """Pairs of rows that differ in one factor alone, the changed level first."""
    setting, changed, plain = FACTORS[factor]
    rows = cells(found, group)
    return [
        (first, second)
        for levels, first in rows
        for others, second in rows
        if levels[setting] == changed and others[setting] == plain and levels == others | {setting: changed}
    ]


def effects(found: Results, group: str) -> list[Effect]:
    """Effect of every factor that the group varies on every metric; p-values are Holm's over all of them."""
    asked = [(factor, metric) for factor in FACTORS for metric in METRICS if pairs_of(found, group, factor)]
    pairs = [pairs_of(found, group, factor) for factor, _ in asked]
    estimates = [found.contrast(both, metric) for both, (_, metric) in zip(pairs, asked, strict=True)]
    p_values = holm([one.p for one in estimates])
    shown = [one.among(len(estimates)) for one in estimates]
    return [Effect(*names, *rest) for names, *rest in zip(asked, pairs, shown, p_values, strict=True)]


def contributions(found: Results) -> HTML:
    """Per group: what each factor adds to each metric, with interval and corrected p-value."""
    parts = []
    for group in found.references:
        known = {(effect.factor, effect.metric): effect for effect in effects(found, group)}
        body = []
        for factor, name in NAMES.items():
            pairs = pairs_of(found, group, factor)
            told = f"{name}<small>{plural(len(pairs), 'pair')} of rows</small>"
            shown = [cell(known[factor, metric]) for metric in METRICS] if pairs else [ABSENT] * len(METRICS)
            body.append([told, *shown])
        parts.append(heading(group, len(found.references)) + table(["adds", *METRICS], body, "factors"))
    return HTML("".join(parts))


def cell(effect: Effect) -> str:
    """An effect with its interval and p-value, leading to the first row that it was computed from."""
    if not effect.estimate.count:
        return PENDING
    p = "" if math.isnan(effect.p) else f"<small>p {probability(effect.p)}</small>"
    return link(anchor(effect.pairs[0][0]), measured(effect.estimate, effect.metric)) + p


def picture(found: Results) -> HTML:
    """The effects as points with intervals, a panel per metric."""
    groups = [group for group in found.references if any(e.estimate.count for e in effects(found, group))]
    if not groups:
        varied = any(pairs_of(found, group, factor) for group in found.references for factor in FACTORS)
        return HTML(f"<p>{PENDING if varied else ABSENT}</p>")
    group = groups[0]
    figure, axes = panels(2, 2.1, 2)
    shown = [effect for effect in effects(found, group) if effect.estimate.count]
    for axis, metric in zip(axes, METRICS, strict=True):
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


def pictures(found: Results) -> HTML:
    """Samples of every row that takes part in an effect: same label, same noise."""
    parts = []
    for group in found.references:
        taking = {row["variant"] for factor in FACTORS for pair in pairs_of(found, group, factor) for row in pair}
        rows = found.main[(found.main["group"] == group) & found.main["variant"].isin(taking)]
        if taking:
            parts.append(heading(group, len(found.references)) + compared_rows(found, group, rows))
    return HTML("".join(parts) or f"<p>{ABSENT}</p>")
