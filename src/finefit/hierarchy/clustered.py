"""Superclasses for a data set that has none: classes that look alike to a network that knows photographs.

Every class is the mean of what the network sees in its first training pictures, less the mean of all classes, at unit
length. Ward's clustering joins classes into the square root of their number: as many groups as each has classes, on
average. Nothing is drawn at random. It is a grouping by looks, no taxonomy, and says so; docs/data.md has how near it
comes to some.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

JUDGE = "efficientnet-lite1"  # the network, one that a study need not train
RESOLUTION, PER_CLASS = 32, 16  # pixels; training pictures of each class that are looked at
CLASSES_AT_ONCE = 64


def superclasses(rows: pd.DataFrame, names: pd.Series, see: Callable[[pd.DataFrame], np.ndarray]) -> tuple[list, dict]:
    """Group the classes of a data set.

    Args:
        rows: its training pictures, with `class_id`.
        names: class names in the order of their ids.
        see: gives the features of such rows, `[n, d]`.

    Returns:
        Each class's superclass by name ("looks like <its most typical class>"), and how they were found.

    Raises:
        ValueError: there are fewer than four classes, or nothing tells groups of them apart.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from sklearn.metrics import silhouette_score

    if len(names) < 4:
        raise ValueError(f"superclasses are derived for four classes or more; there are {len(names)}: give a taxonomy")
    points = class_means(rows, len(names), see)
    groups = fcluster(linkage(points, "ward"), round(math.sqrt(len(names))), "maxclust")
    if groups.max() < 2:
        raise ValueError(f"no looks tell groups of the {len(names)} classes apart: give a taxonomy")
    titles = {}
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        apart = np.square(points[members] - points[members].mean(0)).sum(1)
        titles[group] = f"looks like {names.iloc[members[apart.argmin()]]}"
    found_by = {
        "source": "derived",
        "superclasses": len(titles),
        "number": "the square root of the number of classes",
        "silhouette": round(float(silhouette_score(points, groups)), 4),
        "features": f"{JUDGE} at {RESOLUTION} pixels, {PER_CLASS} pictures of a class",
    }
    return [titles[group] for group in groups], found_by


def class_means(rows: pd.DataFrame, count: int, see: Callable[[pd.DataFrame], np.ndarray]) -> np.ndarray:
    """The direction of every class from the mean of all, `[count, d]`; a few classes are read at a time."""
    rows = rows[rows.groupby("class_id").cumcount() < PER_CLASS]
    with_pictures = np.unique(rows["class_id"])  # in a trial few
    means = []
    for first in range(0, len(with_pictures), CLASSES_AT_ONCE):
        part = rows[rows["class_id"].isin(with_pictures[first : first + CLASSES_AT_ONCE])]
        seen, labels = see(part).astype(np.float64), part["class_id"].to_numpy()
        means += [seen[labels == label].mean(0) for label in np.unique(labels)]
    apart = np.stack(means) - np.mean(means, 0)
    directions = np.zeros((count, apart.shape[1]))
    directions[with_pictures] = apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-6)
    return directions
