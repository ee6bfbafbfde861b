"""The shift: the same things not as the source shows them but drawn by hand, as plates of an old book are.

Ink and watercolour on warm paper by lamplight: another background, palette, light, contrast and texture, and lines
that an unsteady hand drew. All of it grows from nothing with the amount of the shift; subjects keep form, pattern
and hue, so that a class is still itself and its name still true.
"""

from __future__ import annotations

import math

import numpy as np

from finefit.procedural.canvas import Canvas, grid
from finefit.procedural.colour import mix, ramp, rgb
from finefit.procedural.dice import Dice
from finefit.procedural.forms import length, rise, rotated, wave

PAPERS = ("#f3e3bd", "#efcf9f", "#e9bfa3", "#e2c1c0", "#d6c7da")  # cream to apricot, rose and lilac
INKS = ("#2b1a12", "#3a1620", "#1f1a38")  # sepia, madder, indigo
LUMA = np.array([0.299, 0.587, 0.114], np.float32)[:, None, None, None]
TONES = 3  # steps of light to dark in which a wash is laid
NIB = 1 / 32  # half the width of a pen's line, in units of the picture


class Hand:
    """Who draws a canvas's pictures as plates; made before anything is painted, `redraw` comes after.

    Args:
        canvas: nothing is on it yet.
        dice: chance of its own, so that a picture's subject is the same at every amount.
        amount: 0..1, from the source's own look to a plate.
    """

    def __init__(self, canvas: Canvas, dice: Dice, amount: float) -> None:
        self.canvas, self.dice, self.amount = canvas, dice, amount
        canvas.remember()
        side = canvas.x.shape[-1]
        canvas.x = canvas.x + amount * 0.09 * (cloud(dice, 5, side) - 0.5)  # an unsteady hand
        canvas.y = canvas.y + amount * 0.09 * (cloud(dice, 5, side) - 0.5)

    def redraw(self) -> None:
        """Turn what was painted into a plate, as far as the amount says."""
        canvas, dice, amount = self.canvas, self.dice, self.amount
        planes, cover, side = canvas.planes, canvas.cover, canvas.planes.shape[-1]
        x, y = grid(side)

        # The paper, and on it a loose wash of a related tone instead of the world behind.
        tint = dice.roll()
        paper, wash = ramp(PAPERS, tint), ramp(PAPERS, np.mod(tint + 0.3 * dice.sign(), 1))
        blot = rise(cloud(dice, 4, side) + 0.5 * (1 - length(x, y)), 0.5, 0.7)
        planes += amount * (1 - cover) * (mix(paper, wash * 0.86, blot) - canvas.ground)
        lines = np.maximum(rise(edge(cover), 0.1, 0.6), 0.45 * rise(edge(planes).max(axis=0), 0.35, 0.8))

        # Watercolour: three tones, thin enough to let the paper through, paler where the brush ran dry.
        light = (planes * LUMA).sum(axis=0)
        washed = planes * ((stairs(light * TONES) / TONES + 0.1) / (light + 0.1))
        thin = 0.12 + 0.4 * rise(cloud(dice, 5, side), 0.45, 0.75)
        washed = mix(washed, paper, thin) * mix(rgb("#ffffff"), paper, 0.5)
        planes += amount * cover * (washed - planes)

        # Pen and ink: outlines that come and go, and hatching on the side that lies in the shade.
        toward, _ = rotated(x, y, dice.roll(0, math.tau))
        along, _ = rotated(x, y, dice.roll(0.5, 1.1) * dice.sign())
        strokes = rise(wave(along * dice.roll(4.0, 5.5) + 0.7 * cloud(dice, 4, side)), 0.4, 0.8)
        shade = cover * rise(toward + 0.6 * (cloud(dice, 4, side) - 0.5), 0.1, -0.35)
        firm = rise(cloud(dice, 9, side), -0.2, 0.4)
        canvas.glaze(amount * np.maximum(lines * firm, 0.45 * strokes * shade), ramp(INKS, dice.roll()))

        # Grain of the paper, lamplight from one side, dusk towards the corners.
        grain = 1 + 0.15 * (cloud(dice, 33, side) - 0.5)
        lamp = mix(rgb("#ffe0ac"), rgb("#b3a3bd"), rise(toward, 1.2, -1.4))
        dusk = 1 - 0.25 * rise(length(x, y), 0.8, 1.45)
        planes *= 1 + amount * (mix(rgb("#ffffff"), lamp, 0.6) * dusk * grain * 1.16 - 1)


def cloud(dice: Dice, nodes: int, side: int) -> np.ndarray:
    """Smooth noise 0..1 `[n, side, side]` between `nodes * nodes` numbers of chance spread over the picture."""
    values = dice.rolls(nodes, nodes)
    place = (np.arange(side, dtype=np.float32) + 0.5) * np.float32((nodes - 1) / side)
    before = place.astype(int)
    share = place - before
    share = share * share * (3 - 2 * share)
    across = values[:, :, before] + (values[:, :, before + 1] - values[:, :, before]) * share
    return across[:, before] + (across[:, before + 1] - across[:, before]) * share[:, None]


def edge(picture: np.ndarray) -> np.ndarray:
    """How much `[..., h, w]` changes across a pen's line at each place."""
    side = picture.shape[-1]
    reach = max(1, round(NIB * side / 2))
    padded = np.pad(picture, [(0, 0)] * (picture.ndim - 2) + [(reach, reach)] * 2, mode="edge")
    across = padded[..., reach:-reach, 2 * reach :] - padded[..., reach:-reach, : -2 * reach]
    up = padded[..., 2 * reach :, reach:-reach] - padded[..., : -2 * reach, reach:-reach]
    return length(across, up)


def stairs(value: np.ndarray) -> np.ndarray:
    """`value` drawn to whole numbers, with soft steps half-way between."""
    whole = np.floor(value)
    return whole + rise(value - whole, 0.2, 0.8)
