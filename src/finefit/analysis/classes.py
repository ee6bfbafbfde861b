"""Scores that every class has by itself: methods compared with classes as the blocks, and classes by their pictures.

Which classes a data set happens to have is a question of its own, beside that of other seeds. It is answered only for
scores that exist class by class. A Frechet distance does not: resampling its classes doubles the distance itself.
"""

from __future__ import annotations

import pandas as pd

from finefit import judges
from finefit.analysis.blocks import Fit
from finefit.analysis.collect import Results, over_seeds
from finefit.analysis.scores import key
from finefit.jobs import readers

METRICS = ("class_accuracy", "superclass_accuracy", "diversity_probe")
DISTANCE = judges.column("kd", judges.OWN)


def by_class(found: Results, group: str, metric: str) -> Fit:
    """The additive model of method and class of a metric, on each class's mean over seeds; empty while pending."""
    scores = {key(row, metric): found.class_scores(row) for row in found.rows_of(group)}
    return Fit(pd.DataFrame({name: table[metric] for name, table in scores.items() if table is not None}).T)


def class_distances(found: Results, group: str) -> pd.DataFrame:
    """A column per method at the main scale: each class's kernel distance to real pictures, mean over seeds."""
    rows = {row["variant"]: found.class_scores(row) for row in found.rows_of(group)}
    known = {name: scores[DISTANCE] for name, scores in rows.items() if scores is not None and DISTANCE in scores}
    return pd.DataFrame(known)


def superclass_distances(row: pd.Series) -> pd.DataFrame | None:
    """`pictures` and `fd_probe` of each superclass, means over the seeds of a row; None while there are none."""
    distances = over_seeds(row, "superclasses.csv", "superclass_id")
    return distances if distances is not None and len(distances) else None


def training_counts(found: Results, group: str) -> pd.Series | None:
    """Training pictures of each class, by class id; None while pending."""
    data = found.references[group].inputs["data"]
    if not (data.path / "index.csv").exists():
        return None
    index = readers.table(data.path / "index.csv")
    return index[index["split"] == "train"].groupby("class_id").size()
