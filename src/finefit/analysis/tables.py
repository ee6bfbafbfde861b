"""A study's scores as a report writes them: metrics.json, and a row per method for results.csv and sweep.csv."""

from __future__ import annotations

import math

import pandas as pd

from finefit.analysis.collect import Results
from finefit.analysis.scores import RUN


def metrics(found: Results) -> dict[str, float]:
    """Means over seeds at the study's main scale, and the real pictures' own values: nothing that a clock decides."""
    values = {}
    for group in found.references:
        for key, value in (found.reference(group) or {}).items():
            if not math.isnan(value):
                values[f"{group}/real/{key}"] = value
    for _, row in found.main.iterrows():
        name = f"{row['group']}/{row['variant']}"
        values |= {f"{name}/{metric}": row[metric].mean for metric in found.metrics if row[metric].count}
        values |= {f"{name}/{key}": row[key] for key in RUN if not math.isnan(row[key])}
    return values


def flat(found: Results, variants: pd.DataFrame) -> pd.DataFrame:
    """`Results.variants` for a file: every estimate as its mean and, under `<metric>_half`, half its interval."""
    table = variants[["group", "entry", "guidance", "scale", "done", "planned"]].copy()
    for metric in found.metrics:
        table[metric] = [one.mean for one in variants[metric]]
        table[f"{metric}_half"] = [one.half for one in variants[metric]]
    return table.join(variants[list(RUN)])
