"""A batch of square pictures painted by antialiased signed distances.

Coordinates run from -1 to 1 over the picture, y upwards, so a scene does not depend on the resolution.
"""

from __future__ import annotations

import math

import numpy as np

from finefit.procedural.dice import Dice
from finefit.procedural.forms import Number, rotated

CRISP = 64  # pictures smaller than this are painted at twice their size and box-filtered


def zoom(resolution: int) -> int:
    """Painted pixels per side of a final pixel."""
    return 2 if resolution < CRISP else 1


def grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres as x and y, each `[1, side, side]` float32."""
    centres = (np.arange(side, dtype=np.float32) + 0.5) * np.float32(2 / side) - 1
    return np.broadcast_to(centres, (1, side, side)), np.broadcast_to(-centres[:, None], (1, side, side))


class Canvas:
    """`n` pictures in progress; `x`, `y` are the pixels' coordinates in the current frame of reference."""

    def __init__(self, count: int, resolution: int) -> None:
        self.count, self.resolution, self.zoom = count, resolution, zoom(resolution)
        side = resolution * self.zoom
        self.x, self.y = grid(side)
        self.pixel: Number = 2 / side  # width of a pixel in the units of the current frame
        self.planes = np.zeros((3, count, side, side), np.float32)
        self.ground: np.ndarray | None = None  # the backdrop's planes and how much 0..1 of it is painted over,
        self.cover: np.ndarray | None = None  # where `remember` was asked for them

    def remember(self) -> None:
        """Keep the backdrop apart from what is painted over it, so that it can be exchanged later."""
        self.ground, self.cover = np.zeros_like(self.planes), np.zeros_like(self.planes[0])

    def backdrop(self, colours: np.ndarray) -> None:
        """Cover everything with `colours` `[3, n, resolution, resolution]` (soft, hence not supersampled)."""
        self._blocks()[...] = colours[:, :, :, None, :, None]
        if self.ground is not None:
            self.ground[...] = self.planes

    def place(
        self, dice: Dice, size: tuple[float, float], turn: float = 0, drift: float = 0.1, mirror: bool = False
    ) -> None:
        """Move to a subject's own frame, in which it is about one unit big.

        `size` is the range of that unit on the picture, `turn` the largest rotation either way (radians),
        `drift` the largest shift; `mirror` flips half of the pictures.
        """
        scale, angle = dice.roll(*size), dice.roll(-turn, turn)
        x, y = self.x - dice.roll(-drift, drift), self.y - dice.roll(-drift, drift)
        x, y = rotated(x, y, angle)
        flip = dice.sign() if mirror else 1
        self.x, self.y, self.pixel = x * (flip / scale), y / scale, self.pixel / scale

    def fill(self, distance: np.ndarray, colour: np.ndarray, opacity: Number = 1, soft: Number = 0) -> None:
        """Paint the inside of a form with `colour` `[3, n, 1 or h, 1 or w]`; `soft` widens its edge."""
        cover = np.clip(0.5 - distance / np.maximum(self.pixel, soft), 0, 1)
        self.glaze(cover * opacity, colour)

    def sketch(self, distance: np.ndarray, line: np.ndarray, colour: np.ndarray, width: Number = 0.025) -> None:
        """Paint a form with an outline of colour `line` and `width` scene units."""
        self.fill(distance, line)
        self.fill(distance + width, colour)

    def glaze(self, cover: np.ndarray, colour: np.ndarray) -> None:
        """Lay `colour` over the picture where `cover` `[n, h, w]` is above 0."""
        for plane, tone in zip(self.planes, colour, strict=True):
            plane += cover * (tone - plane)
        if self.cover is not None:
            self.cover += cover * (1 - self.cover)

    def develop(self, dice: Dice) -> np.ndarray:
        """The pictures as uint8 `[n, resolution, resolution, 3]`, under a random fall of light."""
        x, _ = rotated(*grid(self.resolution), dice.roll(0, math.tau))
        light = dice.roll(0.88, 1.1) + dice.roll(0.0, 0.16) * x
        film = np.clip(self._blocks().mean(axis=(3, 5)) * light, 0, 1)
        return np.moveaxis(film * 255 + np.float32(0.5), 0, -1).astype(np.uint8)

    def _blocks(self) -> np.ndarray:
        """The planes with each final pixel's painted pixels on axes 3 and 5."""
        return self.planes.reshape(3, self.count, self.resolution, self.zoom, self.resolution, self.zoom)
