"""Flowers seen from the front: rings of petals around a disc of florets."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np

from finefit.procedural import scenery
from finefit.procedural.canvas import Canvas
from finefit.procedural.colour import darker, lighter, mix, rgb
from finefit.procedural.dice import Dice
from finefit.procedural.forms import capsule, chosen, circle, ellipse, length, rise, sector
from finefit.procedural.traits import Amount, Choice, Colour, Count, Paint

NAME = "{pattern} {colour} {petals}-petal flower"
COLOURS = {
    "crimson": "#d81832",
    "orange": "#f5791f",
    "golden": "#fcc419",
    "cream": "#fdf3c4",
    "rose": "#fb8fb4",
    "magenta": "#d8219f",
    "violet": "#8a35d6",
    "blue": "#3f5be8",
    "lilac": "#bba0f0",
    "white": "#fbfaff",
    "salmon": "#fa8a72",
}
TRAITS = (
    Colour("colour", COLOURS),
    Choice("pattern", ("plain", "haloed", "tipped", "streaked")),
    Count("petals", {"five": 5, "eight": 8, "thirteen": 13, "six": 6, "ten": 10, "twenty": 20}),
    Amount("breadth", 0.75, 1.25),
    Paint("centre", {"yellow": "#f8c81c", "brown": "#6a3414", "lime": "#a8c83a", "plum": "#5a1c4a"}),
    Amount("disc", 0.17, 0.32),
)


def draw(canvas: Canvas, traits: SimpleNamespace, dice: Dice) -> None:
    """Paint one flower per picture."""
    scenery.meadow(canvas, dice)
    canvas.place(dice, size=(0.7, 0.92), drift=0.12)
    x, y = canvas.x, canvas.y
    stem = capsule(x, y, (0.0, 0.0), (dice.roll(-0.6, 0.6), -2.4), 0.06)
    canvas.fill(stem, rgb("#4f7d35") * dice.roll(0.7, 1.1))

    x, y = x / dice.roll(0.82, 1), y / dice.roll(0.9, 1)  # squashed, as it does not quite face the viewer
    radius, angle = length(x, y), np.arctan2(y, x) + dice.roll(0, math.tau)
    half = math.pi / traits.petals
    width = np.minimum(0.6 * np.tan(half) * traits.breadth, 0.36)
    accent = mix(lighter(traits.centre, 0.15), rgb("#ffffff"), 0.25)
    for row, reach in ((0.5, 1.0), (0.0, 0.93)):  # the back row shows between the front petals
        turn = sector(angle + 2 * half * row, traits.petals)
        along, across = radius * np.cos(turn), radius * np.sin(turn)
        petal = ellipse(along - 0.56 * reach, across, 0.42 * reach, width)
        crease = np.abs(across) / width
        shade = (0.72 if row else 0.86) + 0.2 * along + 0.1 * np.minimum(crease, 1)
        patterns = {
            "haloed": rise(radius, 0.68, 0.4),
            "tipped": rise(radius, 0.66, 0.85),
            "streaked": rise(crease, 0.5, 0.25),
        }
        tone = mix(traits.colour, accent, 0.9 * chosen(traits.pattern, patterns))
        canvas.sketch(petal - 0.02, darker(traits.colour, 0.45), tone * shade, width=0.02)

    florets = 0.85 + 0.15 * np.sin(radius * 60) * np.sin(angle * 13)
    canvas.fill(circle(x, y - 0.02, traits.disc + 0.03), darker(traits.centre, 0.5), opacity=0.7, soft=0.06)
    canvas.fill(radius - traits.disc, traits.centre * florets * (1.1 - 0.5 * rise(radius, 0, traits.disc) + 0.5 * y))
