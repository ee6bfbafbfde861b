"""Signed distances (negative inside) to simple forms, for coordinates `[n, h, w]` in scene units."""

from __future__ import annotations

import math

import numpy as np

Number = float | np.ndarray


def rotated(x: np.ndarray, y: np.ndarray, angle: Number) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in a frame whose first axis points at `angle` (radians, anticlockwise)."""
    angle = np.asarray(angle, np.float32)
    cos, sin = np.cos(angle), np.sin(angle)
    return x * cos + y * sin, y * cos - x * sin


def length(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance from the origin."""
    return np.sqrt(x * x + y * y)


def circle(x: np.ndarray, y: np.ndarray, radius: Number) -> np.ndarray:
    """A disc around the origin."""
    return length(x, y) - radius


def ellipse(x: np.ndarray, y: np.ndarray, across: Number, up: Number) -> np.ndarray:
    """An axis-aligned ellipse of half-axes `across` and `up` (first-order distance, exact on the outline)."""
    u, v = x / across, y / up
    level = length(u, v) + 1e-5
    slope = length(u / across, v / up) + 1e-5
    return (level - 1) * level / slope


def capsule(
    x: np.ndarray,
    y: np.ndarray,
    start: tuple[Number, Number],
    end: tuple[Number, Number],
    thick: Number,
    thick_end: Number | None = None,
) -> np.ndarray:
    """A round-ended stroke of half-width `thick`, tapering to `thick_end` if given."""
    (x0, y0), (x1, y1) = start, end
    dx, dy = x1 - x0, y1 - y0
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
    distance = length(x - x0 - dx * along, y - y0 - dy * along)
    return distance - (thick if thick_end is None else thick + (thick_end - thick) * along)


def union(*distances: np.ndarray) -> np.ndarray:
    """What is inside any of the forms."""
    joined = distances[0]
    for distance in distances[1:]:
        joined = np.minimum(joined, distance)
    return joined


def blend(first: np.ndarray, second: np.ndarray, reach: float) -> np.ndarray:
    """Union of two forms with a fillet of size `reach`."""
    overlap = np.maximum(reach - np.abs(first - second), 0)
    return np.minimum(first, second) - overlap * overlap * (0.25 / reach)


def sector(angle: np.ndarray, count: Number) -> np.ndarray:
    """`angle` (radians) folded into one of `count` equal sectors, 0 on the sector's axis."""
    width = math.tau / count
    return (np.mod(angle / width + 0.5, 1) - 0.5) * width


def wave(phase: np.ndarray) -> np.ndarray:
    """A triangle wave of period 1: 1 at whole numbers, 0 half-way between."""
    return np.abs(np.mod(phase, 1) - 0.5) * 2


def chosen(words: np.ndarray, options: dict[str, Number]) -> np.ndarray:
    """What `options` hold for each picture's word `[n, 1, 1]`, and 0 for a word they lack."""
    return sum((words == word).astype(np.float32) * option for word, option in options.items())


def rise(value: np.ndarray, low: Number, high: Number) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between; swap them for a fall."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def spots(u: np.ndarray, v: np.ndarray, radius: float) -> np.ndarray:
    """How much 0..1 each place lies on a disc of a staggered unit lattice (odd rows shifted by half)."""
    shifted = u + 0.5 * np.mod(np.floor(v), 2)
    away = length(np.mod(shifted, 1) - 0.5, np.mod(v, 1) - 0.5)
    return rise(away, radius + 0.07, radius - 0.07)
