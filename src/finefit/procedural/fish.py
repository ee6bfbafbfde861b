"""Fish seen from the side, warm or dark against the water."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from finefit.procedural import scenery
from finefit.procedural.canvas import Canvas
from finefit.procedural.colour import darker, lighter, mix, rgb
from finefit.procedural.dice import Dice
from finefit.procedural.forms import blend, capsule, chosen, circle, ellipse, length, rise, spots, union, wave
from finefit.procedural.traits import Amount, Choice, Colour, Paint

NAME = "{pattern} {colour} {tail_fin} fish"
COLOURS = {
    "orange": "#ff7a12",
    "yellow": "#ffd21c",
    "silver": "#eef0ea",
    "rose": "#ff7fa0",
    "red": "#e3202a",
    "maroon": "#7a1030",
    "black": "#1e1a2a",
    "brown": "#9a4a16",
}
TRAITS = (
    Colour("colour", COLOURS),
    Choice("pattern", ("plain", "barred", "spotted", "striped", "two-tone")),
    Amount("height", 0.26, 0.5),
    Choice("tail_fin", ("fork-tailed", "fan-tailed")),
    Paint("fins", {"gold": "#ffc21a", "crimson": "#d5203c", "ink": "#26183a", "coral": "#ff8d5c"}),
    Paint("marks", {"white": "#fffdf2", "navy": "#14143c"}),
)


def draw(canvas: Canvas, traits: SimpleNamespace, dice: Dice) -> None:
    """Paint one fish per picture."""
    scenery.water(canvas, dice)
    for _ in range(3):  # rising bubbles
        ring = circle(canvas.x - dice.roll(-1, 1), canvas.y - dice.roll(-1, 1), dice.roll(0.03, 0.08))
        canvas.fill(np.abs(ring) - 0.01, rgb("#e8fbff"), opacity=0.55)
    canvas.place(dice, size=(0.8, 0.95), turn=0.15, drift=0.06, mirror=True)
    x, y = canvas.x, canvas.y
    y = y + dice.roll(-0.08, 0.08) * np.sin(3 * x + 0.5)  # the swimming bend

    height = traits.height
    rear = capsule(x, y, (-0.3, 0.0), (-0.66, 0.0), 0.2 * height + 0.05)
    body = blend(ellipse(x - 0.12, y, 0.68, height), rear, 0.15)
    behind = -0.5 - x  # the tail fin is a wedge opening backwards, notched if forked
    wedge = np.maximum(np.abs(y) - 0.8 * behind - 0.06, behind - 0.44) * 0.8
    notch = (0.25 + 0.5 * np.abs(y) - behind) * 0.9
    cuts = {"fork-tailed": -notch, "fan-tailed": length(behind, y) - 0.46}
    tail = np.maximum(wedge, chosen(traits.tail_fin, cuts))
    dorsal = np.maximum(ellipse(x - 0.02, y - height * 0.75, 0.42, 0.36), -(y - height * 0.3))
    belly = np.maximum(ellipse(x - 0.05, y + height * 0.8, 0.2, 0.26), y + height * 0.3)
    fins = union(tail, dorsal, belly)
    rays = 0.85 + 0.25 * wave(np.arctan2(y, x + 0.35) * 7)
    canvas.sketch(fins, darker(traits.fins, 0.5), traits.fins * rays)

    patterns = {
        "barred": rise(wave(x * 2.3 + 0.1), 0.55, 0.68),
        "spotted": spots(x * 3.4, y * 3.6 + 0.5, 0.28),
        "striped": rise(wave(y / height * 1.5), 0.5, 0.66),
        "two-tone": rise(x, -0.05, -0.15),
    }
    skin = mix(traits.colour, traits.marks, chosen(traits.pattern, patterns))
    skin = mix(skin, lighter(skin, 0.55), rise(y, 0.1 * height, -height) * 0.6)
    canvas.sketch(body, darker(traits.colour, 0.6), skin * (0.95 + 0.35 * y))
    gill = np.maximum(np.abs(circle(x - 0.28, y, 0.24)) - 0.015, 0.4 - x)
    canvas.fill(np.maximum(gill, body), darker(traits.colour, 0.5), opacity=0.8)
    side_fin = ellipse(x - 0.12, y + 0.1 + 0.35 * (x - 0.12), 0.17, 0.08)
    canvas.sketch(side_fin, darker(traits.fins, 0.35), lighter(traits.fins, 0.15))

    eye = length(x - 0.58, y - 0.25 * height)
    canvas.sketch(eye - 0.115, darker(traits.colour, 0.7), rgb("#fffbe8"))
    canvas.fill(eye - 0.05, rgb("#0c0c14"))
