"""Snails creeping past, the shell a logarithmic spiral."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np

from finefit.procedural import scenery
from finefit.procedural.canvas import Canvas
from finefit.procedural.colour import darker, lighter, mix, rgb
from finefit.procedural.dice import Dice
from finefit.procedural.forms import blend, capsule, chosen, length, rise, union, wave
from finefit.procedural.traits import Amount, Choice, Colour, Paint

NAME = "{pattern} {colour} {body} snail"
COLOURS = {
    "amber": "#e89a1e",
    "lemon": "#f4df4a",
    "olive": "#8a9a2a",
    "jade": "#35a67c",
    "slate": "#5a6f9a",
    "plum": "#7d3f8c",
    "rose": "#ea7f98",
    "brick": "#b83a26",
}
TRAITS = (
    Colour("colour", COLOURS),
    Choice("pattern", ("plain", "banded", "ribbed", "flecked")),
    Paint("body", {"grey": "#8d8a86", "sandy": "#d9b27a", "dark": "#3b302b", "pinkish": "#d79a8c"}),
    Amount("growth", 1.7, 2.6),
    Paint("accent", {"cream": "#fff4d6", "umber": "#3a2014"}),
    Amount("shell", 0.56, 0.68),
)


def draw(canvas: Canvas, traits: SimpleNamespace, dice: Dice) -> None:
    """Paint one snail per picture."""
    scenery.soil(canvas, dice)
    canvas.place(dice, size=(0.86, 1.0), turn=0.15, drift=0.06, mirror=True)
    x, y = canvas.x, canvas.y
    nod = dice.roll(-0.08, 0.12)

    foot = capsule(x, y, (-0.92, -0.66), (0.62, -0.58), 0.05, 0.15)
    neck = capsule(x, y, (0.5, -0.52), (0.76, -0.12 + nod), 0.15, 0.13)
    body = blend(foot, neck, 0.2)
    stalks = union(
        capsule(x, y, (0.74, -0.08 + nod), (0.68, 0.3 + nod), 0.035, 0.02),
        capsule(x, y, (0.82, -0.08 + nod), (0.9, 0.26 + nod), 0.035, 0.02),
    )
    knobs = union(length(x - 0.68, y - 0.32 - nod), length(x - 0.9, y - 0.28 - nod)) - 0.045
    canvas.fill(np.abs(y + 0.78) - 0.02 + 0.04 * np.abs(x), rgb("#1e1712"), opacity=0.5, soft=0.18)
    flesh = union(body, stalks, knobs)
    canvas.sketch(flesh, darker(traits.body, 0.5), traits.body * (1.15 + 0.4 * y), width=0.02)

    size = traits.shell
    x, y = (x + 0.16) / size, (y - 0.66 * size + 0.36) / size
    radius, angle = length(x, y), np.arctan2(y, x)
    turns = np.log(np.maximum(radius, 0.02)) / np.log(traits.growth) - angle / math.tau
    winding = np.mod(turns + 0.15, 1)  # 0 at a whorl's inner seam, 1 at its outer one
    seam = rise(winding, 0.1, 0.0) + rise(winding, 0.9, 1.0)
    around = angle * (14 / math.tau)
    patterns = {
        "banded": rise(wave(winding + 0.5), 0.35, 0.6),
        "ribbed": rise(wave(around + winding * 0.4), 0.5, 0.7),
        "flecked": rise(wave(around) * wave(winding * 2), 0.35, 0.55),
    }
    dome = 0.72 + winding * (1 - winding) + 0.18 * y - 0.08 * x
    shell = mix(traits.colour, traits.accent, 0.85 * chosen(traits.pattern, patterns)) * dome
    shell = mix(shell, darker(traits.colour, 0.7), seam * 0.8)
    canvas.sketch((radius - 1) * size, darker(traits.colour, 0.65), shell)
    canvas.fill((length(x + 0.3, y - 0.5) - 0.16) * size, lighter(traits.colour, 0.8), opacity=0.4, soft=0.2)
