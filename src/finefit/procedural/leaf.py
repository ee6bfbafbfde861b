"""Single leaves lying on the ground: an outline around a midrib with side veins."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np

from finefit.procedural import scenery
from finefit.procedural.canvas import Canvas
from finefit.procedural.colour import darker, mix, rgb
from finefit.procedural.dice import Dice
from finefit.procedural.forms import capsule, chosen, length, rise, spots, wave
from finefit.procedural.traits import Amount, Choice, Colour, Paint

NAME = "{pattern} {colour} {outline} leaf"
COLOURS = {
    "green": "#2f9e3c",
    "lime": "#9bd12f",
    "yellow": "#f7cf1d",
    "orange": "#f0831a",
    "red": "#d62a1e",
    "wine": "#8c1440",
    "purple": "#6a2c7a",
    "blue-green": "#1f7f78",
}
TRAITS = (
    Colour("colour", COLOURS),
    Choice("outline", ("oval", "oak", "heart", "maple", "toothed")),
    Choice("pattern", ("plain", "edged", "speckled")),
    Amount("breadth", 0.38, 0.64),
    Paint("accent", {"cream": "#fbf3cf", "dark": "#2a1420", "pale": "#f6e27a", "brown": "#5a2a10"}),
)


def outline(x: np.ndarray, y: np.ndarray, traits: SimpleNamespace) -> np.ndarray:
    """Distance to the leaf's edge; the base is at y = -0.85, the tip at y = 0.95."""
    t = np.clip((y + 0.85) / 1.8, 0, 1)
    bow = 4 * t * (1 - t)
    half_widths = {
        "oval": bow * (1.1 - 0.2 * t),
        "oak": bow * (0.85 + 0.3 * np.cos(22 * t + 2.6)),
        "toothed": bow * (0.95 + 0.22 * (1 - np.mod(8 * t, 1))),
    }
    # Dividing by the steepness of the outline turns a horizontal gap into roughly a distance.
    gap = np.abs(x) - chosen(traits.outline, half_widths) * traits.breadth
    blade = np.maximum(gap * 0.75, np.abs(y - 0.05) - 0.9)
    radius, angle = length(x, y + 0.35), np.arctan2(x, y + 0.35)
    finger = wave(angle * (5 / math.tau))
    reach = (0.42 + finger * finger * (0.5 + 0.34 * np.cos(angle))) * (0.7 + 0.65 * traits.breadth)
    palm = (radius - reach) * 0.6
    side = np.abs(x) * 0.52 / traits.breadth
    heart = (length(side, y - 0.1 + 0.62 * np.sqrt(side + 0.01)) - 0.74) * 0.6
    return np.where(traits.outline == "maple", palm, np.where(traits.outline == "heart", heart, blade))


def draw(canvas: Canvas, traits: SimpleNamespace, dice: Dice) -> None:
    """Paint one leaf per picture."""
    scenery.soil(canvas, dice)
    canvas.place(dice, size=(0.84, 0.94), turn=0.3, drift=0.06, mirror=True)
    x, y = canvas.x, canvas.y
    x = x + dice.roll(-0.16, 0.16) * (y * y - 0.3)  # the midrib bends
    edge = outline(x, y, traits)
    canvas.fill(outline(x - 0.06, y + 0.08, traits), rgb("#2b2118"), opacity=0.4, soft=0.16)

    rib = capsule(x, y, (0.0, -1.12), (0.0, 0.8), 0.035, 0.008)
    veins = rise(wave((y - 0.7 * np.abs(x)) * 3.2), 0.86, 0.97) * rise(np.abs(x), 0.7, 0.0)
    halves = 1 + 0.1 * np.clip(x * 30, -1, 1) + 0.12 * y  # each side of the rib catches its own light
    patterns = {"edged": rise(edge, -0.13, -0.09), "speckled": spots(x * 3.2, y * 3.2, 0.24)}
    blade = mix(traits.colour, traits.accent, chosen(traits.pattern, patterns)) * halves
    canvas.fill(edge, mix(blade, darker(traits.colour, 0.55), veins * 0.55))
    canvas.fill(np.maximum(rib, edge - 0.3), mix(darker(traits.colour, 0.5), rgb("#f0e3b0"), 0.45))
