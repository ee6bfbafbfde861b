"""Scores of parts of the samples: of two halves, of each superclass, and those that a single class has."""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import Tensor

from finefit import judges
from finefit.evaluation import scores
from finefit.evaluation.real import Real
from finefit.evaluation.scores import Measures
from finefit.jobs.arrays import Chosen, Rows
from finefit.metrics.frechet import group_distances


def half_scores(
    features: Rows, labels: np.ndarray, gaps: np.ndarray, real: Real, supers: np.ndarray, name: str
) -> list[dict]:
    """Rows `half`, `score` (a column's name), `value` of every other picture of each class, and of those between.

    The halves have noise of their own, so that a guidance scale that was chosen on one is scored on the other without
    the luck that it was chosen for. None where a class has a single picture.
    """
    half = pd.Series(labels).groupby(labels).cumcount().to_numpy() % 2
    if (half == 1).sum() < 2:
        return []
    rows = []
    for which in (0, 1):
        mine = np.flatnonzero(half == which)
        part = scores.measures(Chosen(features, mine), labels[mine], gaps[mine], real, supers)
        found = scores.taken(named(name, part))
        rows += [{"half": which, "score": score, "value": value} for score, value in found.items()]
    return rows


def superclasses(features: Rows, groups: np.ndarray, real: Real, supers: np.ndarray) -> pd.DataFrame:
    """The distance of each superclass at one number of pictures."""
    distances, size = group_distances(features, groups, real.features, supers[real.labels], seed=0)
    return pd.DataFrame({"superclass_id": list(distances), "pictures": size, "fd_probe": list(distances.values())})


def class_scores(labels: Tensor, right: dict[str, np.ndarray], diversities: np.ndarray) -> pd.DataFrame:
    """A row per class: its pictures, the share of each kind of hit among them, their diversity.

    Args:
        labels: `[n]`, the class that each picture was asked for.
        right: hits `[n]` by metric.
        diversities: `[classes]`, nan for a class of fewer than two pictures.
    """
    by_class = pd.DataFrame(right).groupby(labels.numpy())
    table = by_class.mean().assign(pictures=by_class.size()).reindex(range(len(diversities)))
    table = table.assign(diversity_probe=diversities, pictures=table["pictures"].fillna(0).astype(int))
    return table.rename_axis("class_id").reset_index()[["class_id", "pictures", *right, "diversity_probe"]]


def named(name: str, found: Measures) -> Measures:
    """A judge's scores under the columns that bear its name; the error of its kernel distance beside that."""
    error = f"{judges.column('kd', name)}_error"
    return {error if score == "kd_error" else judges.column(score, name): take for score, take in found.items()}
