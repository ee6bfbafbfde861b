"""Superclasses for a data set that has none: classes that look alike, grouped by their pictures.

Every class is the mean of simple features of its training pictures at 32 pixels: gradient orientations on an 8 x 8 grid
(as HOG, Dalal and Triggs 2005) and colour means and deviations on a 4 x 4 grid, each standardised over the classes.
Ward's clustering joins classes; of the groupings from 2 superclasses up, the one with the largest mean silhouette
(Rousseeuw 1987) is taken. Nothing is drawn at random. It is a grouping by looks, no taxonomy, and says so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

RESOLUTION, PER_CLASS = 32, 32  # pixels; training pictures of each class that are looked at
ORIENTATIONS, GRID, COLOUR_GRID = 8, 8, 4
MOST = 40  # superclasses at most, and at most half as many as classes
CLASSES_AT_ONCE = 64


def superclasses(rows: pd.DataFrame, names: pd.Series, read: Callable[[pd.DataFrame], np.ndarray]) -> tuple[list, dict]:
    """Group the classes of a data set.

    Args:
        rows: its training pictures, with `class_id`.
        names: class names in the order of their ids.
        read: gives the pictures of such rows, uint8 `[n, 32, 32, 3]`.

    Returns:
        Each class's superclass by name ("looks like <its most typical class>"), and how the grouping was chosen.

    Raises:
        ValueError: there are fewer than four classes, or nothing tells groups of them apart.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from sklearn.metrics import silhouette_score

    if len(names) < 4:
        raise ValueError(f"superclasses are derived for four classes or more; there are {len(names)}: give a taxonomy")
    points = class_means(rows, len(names), read)
    tree = linkage(points, "ward")
    groupings = {k: fcluster(tree, k, "maxclust") for k in range(2, min(MOST, len(names) // 2) + 1)}
    scores = {k: float(silhouette_score(points, groups)) for k, groups in groupings.items() if groups.max() == k}
    if not scores:  # all classes look the same, or each as unlike every other
        raise ValueError(f"no looks tell groups of the {len(names)} classes apart: give a taxonomy")
    chosen = max(scores, key=scores.get)
    groups = groupings[chosen]
    titles = {}
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        apart = np.square(points[members] - points[members].mean(0)).sum(1)
        titles[group] = f"looks like {names.iloc[members[apart.argmin()]]}"
    chosen_by = {
        "source": "derived",
        "superclasses": chosen,
        "criterion": f"largest mean silhouette of Ward's clusterings into 2 to {max(groupings)}",
        "silhouette": {str(k): round(score, 4) for k, score in scores.items()},
        "features": f"gradient orientations and colours at {RESOLUTION} pixels, {PER_CLASS} pictures of a class",
    }
    return [titles[group] for group in groups], chosen_by


def class_means(rows: pd.DataFrame, count: int, read: Callable[[pd.DataFrame], np.ndarray]) -> np.ndarray:
    """Standardised mean features of every class, `[count, d]`; a few classes are read at a time."""
    rows = rows[rows.groupby("class_id").cumcount() < PER_CLASS]
    sums, numbers = np.zeros((count, 0)), np.zeros(count)
    for first in range(0, count, CLASSES_AT_ONCE):
        part = rows[rows["class_id"].between(first, first + CLASSES_AT_ONCE - 1)]
        described = features(read(part))
        if first == 0:
            sums = np.zeros((count, described.shape[1]))
        np.add.at(sums, part["class_id"].to_numpy(), described)
        np.add.at(numbers, part["class_id"].to_numpy(), 1)
    means = sums / np.maximum(numbers, 1)[:, None]  # in a trial most classes have no picture
    return (means - means.mean(0)) / np.maximum(means.std(0), 1e-6)


def features(pictures: np.ndarray) -> np.ndarray:
    """Gradient orientations (of unit length) and colours of pictures: uint8 `[n, h, w, 3]` to `[n, d]`."""
    pixels = pictures.astype(np.float64) / 255
    down, across = np.gradient(pixels.mean(-1), axis=(1, 2))
    strength, angle = np.hypot(across, down), np.arctan2(down, across) % np.pi
    bins = np.minimum((angle / np.pi * ORIENTATIONS).astype(int), ORIENTATIONS - 1)
    edges = np.concatenate([cells((strength * (bins == k))[..., None], GRID).mean(2) for k in range(ORIENTATIONS)], 1)
    edges = edges.reshape(len(pictures), -1)
    edges /= np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), 1e-6)
    colours = cells(pixels, COLOUR_GRID)
    return np.concatenate([edges, *(part.reshape(len(pictures), -1) for part in (colours.mean(2), colours.std(2)))], 1)


def cells(pixels: np.ndarray, grid: int) -> np.ndarray:
    """Cut maps `[n, h, w, c]` into `grid x grid` cells: `[n, grid * grid, pixels of a cell, c]`."""
    n, height, width, channels = pixels.shape
    cut = pixels.reshape(n, grid, height // grid, grid, width // grid, channels).swapaxes(2, 3)
    return cut.reshape(n, grid * grid, -1, channels)
