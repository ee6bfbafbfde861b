"""Each method at its own best guidance scale, chosen on one half of its samples and scored on the other.

And the other way round; both halves have noise of their own. So the luck that a scale was chosen for is not in its
score.
"""

from __future__ import annotations

import pandas as pd

from finefit.analysis.collect import Results
from finefit.analysis.scores import Scores
from finefit.jobs import readers

PER_CURVE = ["entry", "guidance"]


def halves(found: Results, group: str) -> pd.DataFrame:
    """`entry`, `guidance`, `scale`, `score`, `half`, `value` (mean over seeds) of a group's swept methods.

    No guidance is scale 1 of every guidance of its method.
    """
    parts = []
    for _, row in found.variants[found.variants["group"] == group].iterrows():
        for job in row["jobs"]:
            if (job.path / "halves.csv").exists():
                part = readers.table(job.path / "halves.csv")
                parts.append(part.assign(entry=row["entry"], guidance=row["guidance"], scale=row["scale"]))
    if not parts:
        return pd.DataFrame(columns=[*PER_CURVE, "scale", "score", "half", "value"])
    values = (
        pd.concat(parts).groupby([*PER_CURVE, "scale", "score", "half"], as_index=False, sort=False)["value"].mean()
    )
    plain, guided = values[values["guidance"] == "none"], values[values["guidance"] != "none"]
    named = guided[PER_CURVE].drop_duplicates()
    same = plain.drop(columns="guidance").merge(named, on="entry")
    return pd.concat([guided, same], ignore_index=True)


def best(values: pd.DataFrame, score: str) -> pd.DataFrame:
    """Per curve: the scales that each half chooses (`scales`) and the mean score of the halves that did not (`value`).

    Args:
        values: see `halves`.
        score: a column of which less is better.
    """
    rows = []
    for (entry, guidance), part in values[values["score"] == score].groupby(PER_CURVE, sort=False):
        table_ = part.pivot(index="scale", columns="half", values="value").dropna()
        if table_.shape[1] == 2 and len(table_):
            chosen = [table_[half].idxmin() for half in (0, 1)]
            value = (table_.loc[chosen[0], 1] + table_.loc[chosen[1], 0]) / 2
            rows.append({"entry": entry, "guidance": guidance, "scales": chosen, "value": value, "all": table_})
    return pd.DataFrame(rows, columns=[*PER_CURVE, "scales", "value", "all"])


def swept(found: Scores) -> pd.DataFrame:
    """The rows of `variants` of methods that are sampled at more than one scale."""
    return found.variants[found.variants["entry"].map(lambda entry: len(found.study.scales(entry)) > 1)]
