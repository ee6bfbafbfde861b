"""Beetles seen from above: wing cases, neck shield, head, six legs and two antennae."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from finefit.procedural import scenery
from finefit.procedural.canvas import Canvas
from finefit.procedural.colour import darker, lighter, mix, rgb
from finefit.procedural.dice import Dice
from finefit.procedural.forms import capsule, chosen, circle, ellipse, length, rise, union, wave
from finefit.procedural.traits import Amount, Choice, Colour, Paint

NAME = "{pattern} {colour} {build} beetle"
INK = "#14110f"
COLOURS = {
    "red": "#d8221c",
    "orange": "#f28a1a",
    "yellow": "#f5d327",
    "emerald": "#1fa355",
    "turquoise": "#17a2ae",
    "cobalt": "#2748c8",
    "violet": "#6c2ca8",
    "copper": "#b5562a",
}
TRAITS = (
    Colour("colour", COLOURS),
    Choice("pattern", ("plain", "spotted", "striped", "banded")),
    Amount("build", 0.38, 0.62, ("slender", "broad")),
    Paint("marks", {"black": "#191412", "ivory": "#fbf0cf"}),
    Paint("shield", {"black": "#1d1917", "rust": "#a8401c", "green": "#2c7a4a", "straw": "#e8cf86"}),
    Amount("feelers", 0.25, 0.75),
)


def draw(canvas: Canvas, traits: SimpleNamespace, dice: Dice) -> None:
    """Paint one beetle per picture."""
    scenery.foliage(canvas, dice)
    canvas.place(dice, size=(0.78, 0.9), turn=0.3, drift=0.06)
    x, y = np.abs(canvas.x), canvas.y  # two mirrored halves
    wide = traits.build

    case = ellipse(x, y + 0.24, wide, 0.66)
    shield = ellipse(x, y - 0.38, wide * 0.74, 0.24)
    head = ellipse(x, y - 0.64, wide * 0.42, 0.17)
    stride = dice.roll(-0.08, 0.08) * np.sign(canvas.x)  # left and right legs are out of step
    legs = [
        union(
            capsule(x, y, (wide * 0.6, root), (wide + 0.2, knee + stride), 0.045, 0.03),
            capsule(x, y, (wide + 0.2, knee + stride), (wide + 0.3, toe + stride), 0.03, 0.015),
        )
        for root, knee, toe in ((0.35, 0.52, 0.82), (0.0, 0.0, -0.22), (-0.3, -0.52, -0.86))
    ]
    feelers = capsule(x, y, (0.06, 0.72), (0.16 + 0.5 * traits.feelers, 0.72 + 0.45 * traits.feelers), 0.018, 0.03)
    canvas.fill(union(ellipse(x, y + 0.2, wide + 0.1, 0.75), *legs), rgb("#0c120a"), opacity=0.45, soft=0.22)
    canvas.fill(union(head, feelers, *legs), rgb(INK))
    canvas.sketch(shield, darker(traits.shield, 0.6), traits.shield * (0.9 + 0.5 * (y - 0.38) - 0.5 * x))

    u, v = x / wide, (y + 0.24) / 0.66
    centres = ((0.5, 0.45), (0.52, -0.38), (0.12, 0.02))
    spots = union(*(length(u - across, 1.2 * (v - up)) for across, up in centres))
    patterns = {
        "spotted": rise(spots, 0.27, 0.21),
        "striped": rise(wave(u * 1.7 + 0.15), 0.5, 0.62),
        "banded": rise(wave(v * 1.35 + 0.2), 0.48, 0.58),
    }
    marks = chosen(traits.pattern, patterns)
    gloss = 1.12 - 0.45 * u * u + 0.12 * v
    canvas.sketch(case, darker(traits.colour, 0.65), mix(traits.colour, traits.marks, marks) * gloss)
    # The seam between the wing cases, and a gleam on one side only: light does not mirror.
    canvas.fill(np.maximum(x - 0.012, case), rgb(INK), opacity=0.85)
    shine = ellipse(canvas.x + wide * 0.4, y - 0.05, wide * 0.2, 0.26)
    canvas.fill(shine, lighter(traits.colour, 0.85), opacity=0.4, soft=0.18)
    canvas.fill(circle(x - wide * 0.3, y - 0.7, 0.04), rgb("#d8d0c0"))
