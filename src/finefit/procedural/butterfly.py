"""Butterflies seen from above with open wings."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from finefit.procedural import scenery
from finefit.procedural.canvas import Canvas
from finefit.procedural.colour import lighter, mix, rgb
from finefit.procedural.dice import Dice
from finefit.procedural.forms import blend, capsule, chosen, circle, ellipse, length, rise, rotated, union, wave
from finefit.procedural.traits import Amount, Choice, Colour, Paint

NAME = "{pattern} {colour} {shape} butterfly"
INK = "#17100e"
COLOURS = {
    "orange": "#f7861a",
    "yellow": "#fbd72b",
    "white": "#f7f5ec",
    "sky-blue": "#59b9f2",
    "blue": "#2a52e0",
    "violet": "#8d3fd9",
    "pink": "#f26fb0",
    "red": "#de2b20",
}
TRAITS = (
    Colour("colour", COLOURS),
    Choice("pattern", ("bordered", "banded", "eyed", "tipped", "veined")),
    Amount("span", 0.78, 1.15),
    Choice("shape", ("round-winged", "swallow-tailed")),
    Paint("accent", {"cream": "#fff3c4", "scarlet": "#ee2f2a", "turquoise": "#2fd8d0", "gold": "#ffc31f"}),
    Amount("border", 0.05, 0.14),
)


def draw(canvas: Canvas, traits: SimpleNamespace, dice: Dice) -> None:
    """Paint one butterfly per picture."""
    scenery.meadow(canvas, dice)
    canvas.place(dice, size=(0.8, 0.92), turn=0.15, drift=0.06)
    x, y = np.abs(canvas.x) / dice.roll(0.88, 1.0), canvas.y  # two mirrored wings, more or less open

    along, across = rotated(x - 0.08, y - 0.1, 0.62)
    fore = ellipse(along - 0.5 * traits.span, across - 0.02 - 0.16 * along, 0.54 * traits.span, 0.34)
    back, side = rotated(x - 0.06, y + 0.05, -0.85)
    hind = ellipse(back - 0.42, side, 0.42, 0.34)
    tail = capsule(x, y, (0.42, -0.55), (0.5, -1.0), 0.11, 0.05)
    hind = np.where(traits.shape == "swallow-tailed", blend(hind, tail, 0.12), hind)

    canvas.fill(union(fore, hind) + 0.02, rgb("#0d1a0c"), opacity=0.35, soft=0.2)  # the shadow on the grass
    root, veins = length(x, y), rise(wave(np.arctan2(y - 0.05, x + 0.05) * 2.4), 0.78, 0.9)
    for wing, reach in ((hind, 0.62), (fore, 0.9 * traits.span)):
        patterns = {
            "banded": rise(wave(root * 3.2), 0.5, 0.62),
            "tipped": rise(root, reach - 0.18, reach - 0.08),
            "veined": veins,
        }
        cells = mix(lighter(traits.colour, 0.2), traits.colour, rise(root, 0.1, 0.7))
        scales = mix(cells, rgb(INK), chosen(traits.pattern, patterns))
        canvas.sketch(wing, rgb(INK), scales, width=traits.border)

    eyes = union(circle(along - 0.66 * traits.span, across - 0.1, 0.15), circle(back - 0.5, side, 0.17))
    eyes = np.where(traits.pattern == "eyed", eyes, 1)
    canvas.sketch(eyes, rgb(INK), traits.accent, width=0.045)
    beads = np.maximum(wave(np.arctan2(y, x) * 5.5) * -0.14 + 0.075, np.abs(fore + 0.045) - 0.028)
    canvas.fill(beads, traits.accent)

    body = union(capsule(x, y, (0.0, 0.22), (0.0, -0.42), 0.075, 0.035), circle(x, y - 0.3, 0.085))
    feelers = capsule(x, y, (0.02, 0.34), (0.22, 0.68), 0.014, 0.03)
    canvas.fill(union(body, feelers), rgb(INK))
    canvas.fill(body + 0.035, rgb("#6b5340"), soft=0.05)
