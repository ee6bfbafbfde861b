"""Points of the attribute space that keep clear of others: classes of a source, with holes where targets lie.

Two points are as far apart as they are in the unit cube (a ring of colours being closed) or, where that is less, as
what is drawn of them: birds of one pattern look alike wherever in the pattern's interval of the axis they lie.
"""

from __future__ import annotations

import numpy as np

from finefit.procedural.traits import Trait, spread


def distances(traits: tuple[Trait, ...], first: np.ndarray, second: np.ndarray, seen: bool = True) -> np.ndarray:
    """Distances `[n, m]` of points `[n, traits]` from points `[m, traits]`; without `seen` in the unit cube only."""
    return np.minimum(*(_euclid(traits, first, second, look) for look in (False, seen)))


def spacing(traits: tuple[Trait, ...], points: np.ndarray) -> float:
    """How far points typically lie from each other: the median distance, in the cube, to the nearest other one."""
    between = distances(traits, points, points, seen=False)
    np.fill_diagonal(between, np.inf)
    return float(np.median(between.min(axis=1)))


def clear(traits: tuple[Trait, ...], count: int, key: np.ndarray, reserved: np.ndarray) -> np.ndarray:
    """The first `count` points of the sequence `spread` of `key` that lie clear of the points `reserved`.

    Clear is farther than the sequence's first `count` points typically lie from each other, so that a reserved
    point's nearest neighbour is no nearer than theirs.
    """
    hole = spacing(traits, spread(len(traits), count, key))
    tried = count
    while True:
        points = spread(len(traits), tried, key)
        points = points[distances(traits, points, reserved).min(axis=1) > hole]
        if len(points) >= count:
            return points[:count]
        tried *= 2


def _euclid(traits: tuple[Trait, ...], first: np.ndarray, second: np.ndarray, seen: bool) -> np.ndarray:
    """Distances `[n, m]` in the unit cube, of what is `seen` of points or of the points themselves."""
    squares = np.zeros((len(first), len(second)))
    for trait, one, other in zip(traits, first.T, second.T, strict=True):
        look = trait.seen if seen else np.asarray
        squares += trait.gap(look(one)[:, None], look(other)[None]) ** 2
    return np.sqrt(squares)
