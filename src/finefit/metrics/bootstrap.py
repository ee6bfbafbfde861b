"""Resampling classes: how much a score hangs on which classes a data set happens to have (Efron 1979).

Every set of samples of a data set is scored under the same resamples, so that the difference of two methods can be
formed resample by resample and what a class does to both cancels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Labelled = tuple[np.ndarray, np.ndarray]  # features `[n, d]` and class ids `[n]`


def draws(classes: int, repeats: int) -> list[np.ndarray]:
    """Resamples of the classes with replacement, `[classes]` each; a function of the arguments alone."""
    return [np.random.default_rng([classes, repeat]).integers(classes, size=classes) for repeat in range(repeats)]


def class_means(per_class: np.ndarray, repeats: int) -> np.ndarray:
    """Means of a score per class `[classes]` under each resample: `[repeats]`; a class without a score is nan."""
    return np.array([np.nanmean(per_class[draw]) for draw in draws(len(per_class), repeats)])


def distances(
    distance: Callable[[np.ndarray, np.ndarray], float], first: Labelled, second: Labelled, classes: int, repeats: int
) -> np.ndarray:
    """A distance of two labelled sets of features under each resample of the classes of both: `[repeats]`."""
    (features, rows), (others, other_rows) = ((rows, by_class(ids, classes)) for rows, ids in (first, second))
    values = []
    for draw in draws(classes, repeats):
        mine, theirs = (np.concatenate([places[label] for label in draw]) for places in (rows, other_rows))
        values.append(distance(features[mine], others[theirs]))
    return np.array(values)


def by_class(labels: np.ndarray, classes: int) -> list[np.ndarray]:
    """Places of each class's rows."""
    return [np.flatnonzero(labels == label) for label in range(classes)]
