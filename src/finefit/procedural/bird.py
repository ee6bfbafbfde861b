"""Small birds perched on a twig."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from finefit.procedural import scenery
from finefit.procedural.canvas import Canvas
from finefit.procedural.colour import darker, lighter, mix, rgb
from finefit.procedural.dice import Dice
from finefit.procedural.forms import blend, capsule, circle, ellipse, length, rise, rotated, union, wave
from finefit.procedural.traits import Amount, Choice, Colour, Paint

NAME = "{pattern} {colour} {tail_length} bird"
COLOURS = {
    "red": "#d62828",
    "orange": "#f08a1d",
    "yellow": "#f6cf25",
    "green": "#3fa34d",
    "teal": "#178f93",
    "blue": "#2f5fd6",
    "indigo": "#4a2f9e",
    "black": "#23222b",
    "brown": "#84512b",
}
TRAITS = (
    Colour("colour", COLOURS),
    Choice("pattern", ("plain", "masked", "wing-barred", "capped")),
    Paint("breast", {"white": "#f8f4e8", "yellow": "#ffdf4a", "rust": "#cf5a22", "grey": "#b9bcc4", "pink": "#f2a0a8"}),
    Amount("tail_length", 0.4, 0.95, ("short-tailed", "long-tailed")),
    Amount("beak", 0.14, 0.34),
    Choice("crest", ("none", "crested")),
)


def draw(canvas: Canvas, traits: SimpleNamespace, dice: Dice) -> None:
    """Paint one bird per picture."""
    scenery.sky(canvas, dice)
    twig_y = canvas.y + 0.62 - dice.roll(-0.15, 0.15) * canvas.x
    canvas.place(dice, size=(0.8, 0.93), turn=0.14, drift=0.06, mirror=True)
    x, y = canvas.x, canvas.y
    canvas.fill(np.abs(twig_y) - 0.05 - 0.01 * np.sin(x * 9), rgb("#5b4030") * (1 + 3 * twig_y))

    tip = (-0.42 - 0.5 * traits.tail_length, -0.2 - 0.42 * traits.tail_length)
    tail = capsule(x, y, (-0.25, -0.05), tip, 0.12, 0.09)
    body = ellipse(*rotated(x + 0.02, y + 0.08, 0.65), 0.52, 0.34)
    head = circle(x - 0.36, y - 0.42, 0.25)
    crest = capsule(x, y, (0.32, 0.6), (0.1, 0.86), 0.1, 0.015)
    head = np.where(traits.crest == "crested", blend(head, crest, 0.1), head)
    whole = blend(body, head, 0.2)

    legs = union(*(capsule(x, y, (hip, -0.35), (hip + 0.04, -0.68), 0.022) for hip in (0.02, 0.16)))
    canvas.fill(legs, rgb("#4a3020"))
    canvas.fill(tail, darker(traits.colour, 0.45))
    beak = capsule(x, y, (0.52, 0.42), (0.58 + traits.beak, 0.37), 0.085, 0.008)
    canvas.fill(beak, rgb("#f2a52a") * 0.9)

    breast = rise(circle(x - 0.26, y + 0.14, 0.4), 0.05, -0.05) * rise(y, 0.36, 0.24)
    mask = rise(np.abs(y - 0.44 - 0.05 * x), 0.12, 0.08) * rise(x, 0.12, 0.2)
    cap = rise(y, 0.46, 0.52)
    plumage = mix(traits.colour, traits.breast, np.maximum(breast, cap * (traits.pattern == "capped")))
    plumage = mix(plumage, rgb("#15131a"), mask * (traits.pattern == "masked"))
    canvas.sketch(whole, darker(traits.colour, 0.5), plumage * (0.92 + 0.25 * y))

    wx, wy = rotated(x + 0.14, y + 0.08, 0.75)
    wing = ellipse(wx + 0.02, wy - 0.2 * wx * wx, 0.44, 0.19)
    bars = rise(wave(wx * 3.2), 0.5, 0.62) * (traits.pattern == "wing-barred")
    feathers = 0.8 + 0.25 * wave(wy * 7 + 0.5 * wx)
    wing_tone = mix(darker(traits.colour, 0.25) * feathers, lighter(traits.breast, 0.3), bars)
    canvas.sketch(wing, darker(traits.colour, 0.65), wing_tone)

    eye = length(x - 0.43, y - 0.47)
    canvas.sketch(eye - 0.062, rgb("#f5efe0"), rgb("#0d0b0c"), width=0.017)
    canvas.fill(length(x - 0.445, y - 0.49) - 0.015, rgb("#ffffff"))
