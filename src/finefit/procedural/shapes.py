"""Sixteen coarse abstract classes for the source domain, unrelated to the target's."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from finefit.procedural import scenery
from finefit.procedural.canvas import Canvas
from finefit.procedural.colour import darker, lighter, mix, ramp
from finefit.procedural.dice import Dice
from finefit.procedural.forms import Number, blend, capsule, circle, length, rise, sector, union, wave

# Pale and dark lie between vivid colours, so that no colour resembles its complement.
RAINBOW = ("#e02f2f", "#f58a1f", "#f9d423", "#f4f0e6", "#6fc23a", "#1fa88a", "#2f7fe0", "#2a2630", "#5a3fd0", "#c03fb0")

# A form is a distance in its own frame, given two free proportions `p` and `q` in 0..1.
Form = Callable[[np.ndarray, np.ndarray, Number, Number], np.ndarray]


def _box(x: np.ndarray, y: np.ndarray, across: Number, up: Number) -> np.ndarray:
    return np.maximum(np.abs(x) - across, np.abs(y) - up)


def _polar(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return length(x, y), np.arctan2(y, x)


def blob(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """A wobbly disc."""
    radius, angle = _polar(x, y)
    return radius - 0.65 - 0.12 * np.sin(angle * 3 + 6 * p) - 0.08 * np.sin(angle * 2 - 6 * q)


def ring(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """A circle's outline."""
    return np.abs(circle(x, y * (1 + 0.3 * q), 0.65)) - 0.1 - 0.12 * p


def star(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """A pointed star of five to eight rays."""
    radius, angle = _polar(x, y)
    turn = np.abs(sector(angle, np.floor(5 + 4 * p)))
    return (radius * (np.cos(turn) + (1.2 + q) * np.sin(turn)) - 0.9) * 0.6


def cross(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """A plus sign."""
    arm = 0.14 + 0.16 * p
    return union(_box(x, y, 0.85, arm), _box(x, y, arm, 0.65 + 0.2 * q))


def stripes(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """Parallel bands across the whole picture."""
    return (0.4 + 0.2 * q - wave(y * (1.5 + 1.5 * p))) * 0.2


def checks(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """A chessboard."""
    scale = 4 + 4 * p
    return np.sin(x * scale + 6 * q) * np.sin(y * scale) / scale


def dots(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """A lattice of discs."""
    pitch = 0.4 + 0.25 * p
    return circle(np.mod(x, pitch) - pitch / 2, np.mod(y, pitch) - pitch / 2, pitch * (0.22 + 0.15 * q))


def triangle(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """An upright triangle."""
    return np.maximum((np.abs(x) * 1.6 + y - 0.75 - 0.15 * p) * 0.53, -y - 0.45 - 0.2 * q)


def frame(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """A rectangular picture frame."""
    return np.abs(_box(x, y, 0.5 + 0.25 * p, 0.65)) - 0.08 - 0.08 * q


def crescent(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """A waxing moon."""
    return np.maximum(circle(x, y, 0.8), -circle(x - 0.3 - 0.2 * p, y - 0.2 * q, 0.68))


def heart(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """A playing-card heart."""
    side = np.abs(x) * (1 + 0.2 * p)
    return (length(side * 1.05, y * 1.1 + 0.1 - 0.75 * np.sqrt(side + 0.01)) - 0.72 - 0.06 * q) * 0.6


def spiral(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """A wound-up line."""
    radius, angle = _polar(x, y)
    coil = (0.45 + 0.2 * q - wave(radius * (2 + 1.2 * p) - angle / math.tau)) * 0.2
    return np.maximum(coil, radius - 0.95)


def tree(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """A fir of three tiers on a trunk."""
    tiers = [np.maximum((np.abs(x) * (1.4 - 0.4 * p) + y - top) * 0.6, top - 0.62 - y) for top in (0.95, 0.55, 0.15)]
    return union(*tiers, _box(x, y + 0.7, 0.08 + 0.06 * q, 0.25))


def cloud(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """Three puffs on a flat base."""
    puffs = blend(circle(x + 0.45, y, 0.32 + 0.1 * p), circle(x - 0.5, y + 0.05, 0.3 + 0.1 * q), 0.1)
    puffs = blend(puffs, circle(x - 0.05, y - 0.2, 0.45), 0.1)
    return np.maximum(union(puffs, capsule(x, y, (-0.5, -0.2), (0.5, -0.2), 0.16)), -y - 0.34)


def waves(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """Three wavy lines."""
    ripple = y + (0.1 + 0.1 * q) * np.sin(x * (4 + 4 * p))
    return np.maximum(np.abs(np.mod(ripple + 0.25, 0.5) - 0.25) - 0.08, np.abs(ripple) - 0.7)


def mountain(x: np.ndarray, y: np.ndarray, p: Number, q: Number) -> np.ndarray:
    """A range of two peaks."""
    first, second = np.abs(x + 0.35) * 1.3 - 0.55 - 0.3 * p, np.abs(x - 0.45) * 1.2 - 0.2 - 0.35 * q
    return np.maximum((y + np.minimum(first, second)) * 0.6, -y - 0.7)


FIGURES: tuple[Form, ...] = (blob, ring, star, cross, triangle, frame, crescent, heart, spiral, tree, cloud, mountain)
TEXTURES: tuple[Form, ...] = (stripes, checks, dots, waves)
FORMS = {form.__name__: form for form in FIGURES + TEXTURES}


def draw(form: Form, canvas: Canvas, traits: SimpleNamespace, dice: Dice) -> None:
    """Paint one abstract form per picture, in random colours over a random gradient."""
    colour = ramp(RAINBOW, dice.roll(), closed=True)
    scenery.blur(canvas, dice, RAINBOW, RAINBOW, tilt=math.pi, glow=0.3)
    canvas.glaze(dice.roll(0, 0.6), mix(colour, 1 - colour, 0.8))  # towards the complement, for contrast
    canvas.place(dice, size=(0.65, 0.95), turn=0.4, drift=0.15, mirror=True)
    x, y = canvas.x, canvas.y
    distance = form(x, y, dice.roll(), dice.roll())
    canvas.fill(distance - 0.02, darker(colour, 0.5), soft=0.08)
    canvas.fill(distance, mix(lighter(colour, 0.2), darker(colour, 0.25), rise(y + 0.5 * x, 0.6, -0.6)))
