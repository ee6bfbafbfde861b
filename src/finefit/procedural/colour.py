"""Colours as planar float32 arrays `[3, n, 1, 1]`, so that channels broadcast over pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WHITE, BLACK = "#ffffff", "#000000"


def rgb(code: str) -> np.ndarray:
    """`"#rrggbb"` as `[3, 1, 1, 1]` in 0..1."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)[:, None, None, None]


def ramp(codes: Sequence[str], position: np.ndarray, closed: bool = False) -> np.ndarray:
    """The colour at `position` 0..1 `[n, 1, 1]` along evenly spaced stops; `closed` joins last to first."""
    stops = np.concatenate([rgb(code) for code in (*codes, codes[0])])[:, 0, 0, 0].reshape(-1, 3)
    place = position * np.float32(len(codes) if closed else len(codes) - 1)
    before = np.clip(np.floor(place), 0, len(codes) - 1)
    share, before = (place - before)[..., None], before.astype(int)
    return np.moveaxis(stops[before] * (1 - share) + stops[before + 1] * share, -1, 0)


def mix(first: np.ndarray, second: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    """`first` with a `share` 0..1 of `second`."""
    return first + (second - first) * share


def lighter(colour: np.ndarray, share: float) -> np.ndarray:
    """`colour` moved towards white."""
    return mix(colour, rgb(WHITE), share)


def darker(colour: np.ndarray, share: float) -> np.ndarray:
    """`colour` moved towards black."""
    return colour * (1 - share)
