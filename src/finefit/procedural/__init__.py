"""Procedural pictures of natural things; a superclass is one module with `NAME`, `TRAITS` and `draw`.

May import: none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import numpy as np

from finefit.procedural import beetle, bird, butterfly, fish, flower, leaf, mushroom, plate, shapes, snail
from finefit.procedural.canvas import Canvas, zoom
from finefit.procedural.dice import Dice
from finefit.procedural.dice import keys as keys_of
from finefit.procedural.traits import Trait, drawn

CHUNK = 2**15  # painted pixels per step: few enough to stay in the processor's cache
PLATE = 2  # a picture's stream of chance that its redrawing takes: pose and light are the same at every shift


@dataclass(frozen=True)
class Scene:
    """A kind of picture: the axes along which it varies and how to paint it."""

    traits: tuple[Trait, ...]
    draw: Callable[[Canvas, SimpleNamespace, Dice], None]
    name: str = ""  # pattern of a subclass's name, e.g. "{colour} {petals}-petal flower"


SUPERCLASSES = {
    module.__name__.rsplit(".", 1)[-1]: Scene(module.TRAITS, module.draw, module.NAME)
    for module in (flower, leaf, butterfly, fish, mushroom, bird, snail, beetle)
}
SHAPES = {name: Scene((), partial(shapes.draw, form)) for name, form in shapes.FORMS.items()}


def render(scene: Scene, points: np.ndarray, keys: np.ndarray, resolution: int, shift: float = 0.0) -> np.ndarray:
    """Paint pictures uint8 `[n, resolution, resolution, 3]` of subclasses `points` `[n, traits]`.

    `keys` `[n]` decide everything else about each picture (pose, light, background); `shift` 0..1 says how far they
    are drawn plates instead of the world's own pictures.
    """
    step = max(1, CHUNK // (resolution * zoom(resolution)) ** 2)
    pictures = np.empty((len(keys), resolution, resolution, 3), np.uint8)
    for start in range(0, len(keys), step):
        rows = slice(start, start + step)
        dice, canvas = Dice(keys[rows]), Canvas(len(keys[rows]), resolution)
        hand = plate.Hand(canvas, Dice(keys_of(keys[rows], PLATE)), shift) if shift else None
        scene.draw(canvas, drawn(scene.traits, points[rows]), dice)
        if hand:
            hand.redraw()
        pictures[rows] = canvas.develop(dice)
    return pictures
