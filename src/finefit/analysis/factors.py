"""What embedder, guidance and LayerNorm contribute, each by itself.

FineDiffusion changes all three at once against baselines with none of them, so its comparison cannot say what helps.
Here each factor's effect is the mean difference over all pairs of rows that differ in that factor alone. Rows are found
by the settings of their entries.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from finefit.analysis.collect import Results
from finefit.analysis.statistics import Estimate, holm

FACTORS = {  # factor: the setting, and its levels, the changed one first
    "embedder": ("embedder", "tiered", "flat"),
    "sum": ("embedder", "summed", "tiered"),
    "guidance": ("guidance", "superclass", "null"),
    "norm_affine": ("norm_affine", True, False),
}


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


def cells(results: Results, group: str) -> list[tuple[dict, pd.Series]]:
    """Rows of `Results.main` of a group with the factors' levels, and all else that must agree between two of them."""
    rows = []
    for _, row in results.main[(results.main["group"] == group) & (results.main["guidance"] != "none")].iterrows():
        settings = results.study.settings_of(row["entry"])
        rows.append((settings | {"guidance": row["guidance"]}, row))
    return rows


def pairs_of(results: Results, group: str, factor: str) -> list[tuple[pd.Series, pd.Series]]:
    """Pairs of rows that differ in one factor alone, the changed level first."""
    setting, changed, plain = FACTORS[factor]
    rows = cells(results, group)
    return [
        (first, second)
        for levels, first in rows
        for others, second in rows
        if levels[setting] == changed and others[setting] == plain and levels == others | {setting: changed}
    ]


def effects(results: Results, group: str) -> list[Effect]:
    """Effect of every factor that the group varies on every metric; p-values are Holm's over all of them."""
    varied = [factor for factor in FACTORS if pairs_of(results, group, factor)]
    questions = [(factor, metric) for factor in varied for metric in results.headline]
    pairs = [pairs_of(results, group, factor) for factor, _ in questions]
    estimates = [results.contrast(both, metric) for both, (_, metric) in zip(pairs, questions, strict=True)]
    p_values = holm([one.p for one in estimates])
    shown = [one.among(len(estimates)) for one in estimates]
    return [Effect(*names, *rest) for names, *rest in zip(questions, pairs, shown, p_values, strict=True)]
