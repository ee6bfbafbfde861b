"""A trial run of a job: a few classes, from the first to the last, stand for all."""

from __future__ import annotations

import numpy as np


def few_classes(classes: int, most: int) -> np.ndarray:
    """At most so many class ids, evenly from the first to the last."""
    return np.unique(np.linspace(0, classes - 1, most).round().astype(np.int64))
