"""Blurred natural backgrounds: a gradient of two related tones under soft discs of light (bokeh)."""

from __future__ import annotations

import math

from finefit.procedural.canvas import Canvas, grid
from finefit.procedural.colour import lighter, mix, ramp
from finefit.procedural.dice import Dice
from finefit.procedural.forms import length, rise, rotated


def blur(
    canvas: Canvas, dice: Dice, above: tuple[str, ...], below: tuple[str, ...], tilt: float = 0.5, glow: float = 0.25
) -> None:
    """Fill the canvas with a gradient from a colour of `below` to one of `above`.

    Both are hex colours to choose from; `tilt` is the gradient's largest turn from upright (radians), `glow` the
    strength of the lights.
    """
    top, bottom = ramp(above, dice.roll()), ramp(below, dice.roll())
    x, y = grid(canvas.resolution)
    _, height = rotated(x, y, dice.roll(-tilt, tilt))
    colours = mix(bottom, top, rise(height + dice.roll(-0.3, 0.3), -1.2, 1.2))
    for _ in range(4):
        away = length(x - dice.roll(-1.1, 1.1), y - dice.roll(-1.1, 1.1))
        radius = dice.roll(0.15, 0.5)
        light = rise(away, radius, radius * 0.75) * dice.roll(0, glow)
        colours = mix(colours, lighter(top, 0.5), light)
    canvas.backdrop(colours)


def meadow(canvas: Canvas, dice: Dice) -> None:
    """Out-of-focus grass and sun."""
    blur(canvas, dice, ("#3e6b3a", "#7fa35a", "#9fb98a", "#5f8f6e"), ("#1f3d22", "#34592e", "#4d6b2f"), tilt=1.2)


def water(canvas: Canvas, dice: Dice) -> None:
    """Clear shallows to deep sea, lighter towards the surface."""
    blur(canvas, dice, ("#9fe0e0", "#7cc4e8", "#4f9fd0", "#3c8fa0"), ("#12406b", "#1b5f86", "#0f4a5c"), tilt=0.4)


def sky(canvas: Canvas, dice: Dice) -> None:
    """Morning to evening sky with soft clouds."""
    blur(canvas, dice, ("#7fb0dc", "#a9c9e6", "#c5cfe0"), ("#c9d8e6", "#e4ddd2", "#e9cdb8"), tilt=0.4, glow=0.4)


def forest(canvas: Canvas, dice: Dice) -> None:
    """The dim inside of a wood."""
    blur(canvas, dice, ("#3c5d48", "#5a784e", "#76866a", "#4a6462"), ("#1d2b1c", "#2c3520", "#33301f"), tilt=0.5)


def soil(canvas: Canvas, dice: Dice) -> None:
    """Bare ground, stone and dry grass seen from above."""
    blur(canvas, dice, ("#c9bfae", "#b3a288", "#a3a69a", "#d3c6a8"), ("#8d7a63", "#79705f", "#9a8b72"), tilt=math.pi)


def foliage(canvas: Canvas, dice: Dice) -> None:
    """Leaves or pale bark close behind a small animal."""
    blur(canvas, dice, ("#a9c77a", "#c9d6a0", "#d8cba8", "#b8c9b4"), ("#6f9a55", "#8fa86a", "#a8906a"), tilt=math.pi)
