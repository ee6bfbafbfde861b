"""Mushrooms standing on the forest floor."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from finefit.procedural import scenery
from finefit.procedural.canvas import Canvas
from finefit.procedural.colour import darker, lighter, mix, ramp, rgb
from finefit.procedural.dice import Dice
from finefit.procedural.forms import capsule, chosen, ellipse, length, rise, spots, wave
from finefit.procedural.traits import Amount, Choice, Colour, Paint

NAME = "{pattern} {colour} {cap} mushroom"
COLOURS = {
    "red": "#d9201c",
    "orange": "#f07d16",
    "golden": "#f2bf2b",
    "ivory": "#f4e9cf",
    "tan": "#c08a52",
    "brown": "#6d3a1c",
    "violet": "#7b46b8",
    "pink": "#ee7f9c",
}
TRAITS = (
    Colour("colour", COLOURS),
    Choice("pattern", ("plain", "dotted", "ringed", "streaked")),
    Choice("cap", ("domed", "flat", "pointed")),
    Amount("stem", 0.1, 0.22),
    Choice("skirt", ("bare", "skirted")),
    Paint("accent", {"white": "#fffdf0", "dark": "#3a1d16"}),
)


def cap_form(x: np.ndarray, y: np.ndarray, traits: SimpleNamespace) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the cap, whose rim is at y = 0, and its height `[n, 1, 1]`."""
    tall = chosen(traits.cap, {"domed": 0.62, "flat": 0.32, "pointed": 0.85})
    wide = chosen(traits.cap, {"domed": 0.68, "flat": 0.88, "pointed": 0.60})
    dome = ellipse(x, np.maximum(y, 0) + np.minimum(y, 0) * tall * 6, wide, tall)
    cone = (np.abs(x) - wide * np.clip(1 - y / tall, 0, 1) * (0.8 + 0.25 * np.clip(y / tall, 0, 1))) * 0.8
    cone = np.maximum(cone, np.abs(y - tall / 2 + 0.02) - tall / 2 - 0.06)
    return np.where(traits.cap == "pointed", cone, dome), tall


def draw(canvas: Canvas, traits: SimpleNamespace, dice: Dice) -> None:
    """Paint one mushroom per picture."""
    scenery.forest(canvas, dice)
    floor = canvas.y + 0.72 + 0.06 * np.sin(canvas.x * dice.roll(2, 4) + dice.roll(0, 6))
    moss = ramp(("#2f4a1c", "#4a5a22", "#54401f", "#3b2d1a"), dice.roll())
    canvas.place(dice, size=(0.82, 0.96), turn=0.1, drift=0.06, mirror=True)
    x, y = canvas.x, canvas.y + 0.02
    lean = dice.roll(-0.2, 0.2)
    cx = x - lean * (y + 0.9)  # the stem's axis

    stem = capsule(cx, y, (0.0, -1.0), (0.0, 0.1), traits.stem * 1.25, traits.stem * 0.9)
    stalk = ramp(("#f3e8d2", "#dcc6a2"), dice.roll())
    canvas.fill(stem, stalk * (0.85 - 0.3 * cx / (traits.stem + 0.12)))
    canvas.fill(floor, moss * (1 + 0.7 * floor), soft=0.1)  # after the stem, which it hides the foot of
    skirt = np.maximum(ellipse(cx, y + 0.3, traits.stem + 0.15, 0.13), -(y + 0.36))
    canvas.fill(skirt, lighter(stalk, 0.3) * (1 + 0.6 * (y + 0.25)), opacity=traits.skirt == "skirted")

    cap, tall = cap_form(cx, y, traits)
    under = ellipse(cx, y + 0.01, 0.5, 0.11)
    canvas.fill(under, darker(stalk, 0.45) * (0.8 + 0.3 * wave(cx * 8)))
    level = np.clip(y / tall, 0, 1)
    # Marks crowd together towards the sides, as on a round cap.
    round_x = cx / np.sqrt(np.maximum(1.15 - level * level, 0.15))
    patterns = {
        "dotted": spots(round_x * 2.6, y * 4.4, 0.3),
        "ringed": rise(wave(length(cx, (y - 0.4 * tall) * 1.4) * 2.4), 0.5, 0.65),
        "streaked": rise(wave(round_x * 3.5), 0.5, 0.7),
    }
    skin = mix(traits.colour, traits.accent, chosen(traits.pattern, patterns))
    shade = 0.72 + 0.4 * level - 0.28 * cx
    canvas.sketch(cap, darker(traits.colour, 0.55), skin * shade)
    shine = ellipse(cx + 0.22, y - tall * 0.6, 0.2, 0.09)
    canvas.fill(np.maximum(shine, cap), rgb("#ffffff"), opacity=0.25, soft=0.15)
