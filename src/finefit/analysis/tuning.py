"""Learning rates that a study compares: which one each method gets, and whether enough of them were tried.

Entries of one method that differ in nothing but `lr` and `lr_multipliers` are one question. Its answer is the entry of
the lowest held-out denoising loss: of all scores the one with the least noise, on pictures that no run was trained on.
"""

from __future__ import annotations

import json

import pandas as pd

from finefit.analysis.scores import Scores, of_group
from finefit.models.shapes import CLASS_TABLE

SCORE = "denoising_loss"
RATES = ("lr", "lr_multipliers")


def tried(found: Scores, group: str) -> pd.DataFrame:
    """A row per entry of a group that has a rate to choose: `question`, `method`, `lr`, `table`, its scores, `row`.

    `table` is the multiplier of the class table's rate; `question` tells methods apart, and their other settings.
    """
    rows = []
    for _, row in of_group(found.main, group).drop_duplicates("entry").iterrows():
        settings = found.study.settings_of(row["entry"])
        other = {key: value for key, value in settings.items() if key not in RATES}
        rows.append(
            {
                "question": json.dumps(other, sort_keys=True, default=str),
                "method": settings["method"],
                "lr": settings["lr"],
                "table": table_multiplier(settings["lr_multipliers"]),
                SCORE: row[SCORE].mean,
                found.distance: row[found.distance].mean,
                "row": row,
            }
        )
    known = pd.DataFrame(rows)
    return known[known.groupby("question")["lr"].transform("size") > 1] if len(known) else known


def table_multiplier(multipliers: dict[str, float]) -> float:
    """How many times a method's rate its class table learns at."""
    return next((factor for key, factor in multipliers.items() if key in CLASS_TABLE), 1.0)


def chosen(found: Scores, group: str) -> pd.DataFrame:
    """The row of `tried` that each question's rule chooses; questions of which nothing is known yet are left out."""
    known = tried(found, group)
    known = known[known[SCORE].notna()] if len(known) else known
    return known.loc[known.groupby("question", sort=False)[SCORE].idxmin()] if len(known) else known


def at_edge(known: pd.DataFrame, best: pd.Series) -> list[str]:
    """Which of "lr" and "table" are best at the end of what was tried, all else being the best's.

    A run that failed was tried, as one that diverged; one that is still to come was not.
    """
    known = known[known[SCORE].notna() | known["row"].map(lambda row: bool(row["failure"]))]
    own = known[known["question"] == best["question"]]
    edges = []
    for axis, other in (("lr", "table"), ("table", "lr")):
        values = own.loc[own[other] == best[other], axis]
        if values.nunique() > 1 and best[axis] in (values.min(), values.max()):
            edges.append(axis)
    return edges
