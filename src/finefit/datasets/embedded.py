"""The embedded data set: procedural pictures of natural things, needing no download.

The target domain has fine subclasses, each a point in its superclass's space of attributes. The source
domain has coarse classes: the same superclasses with fresh attributes in every picture, and abstract shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd

from finefit.datasets import Published
from finefit.procedural import SHAPES, SUPERCLASSES, Scene, render
from finefit.procedural.dice import Dice, keys
from finefit.procedural.traits import spread

PUBLISHED = Published("embedded pictures (target, as the mini study draws them)", 16, 8, 2_048, 1_024, "drawn by it")
Domain = Literal["target", "source"]
DOMAINS, SPLITS = get_args(Domain), ("train", "test")  # a name's place is its number in a picture's key


@dataclass(frozen=True)
class Settings:
    """What to draw; `classes` counts the target's subclasses (the source's classes are fixed)."""

    domain: Domain = "target"
    classes: int = 16
    train_per_class: int = 128
    test_per_class: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if self.domain not in DOMAINS:
            raise ValueError(f"domain is {self.domain!r}: use one of {', '.join(DOMAINS)}")
        for key, least in {"classes": 1, "train_per_class": 1, "test_per_class": 1, "seed": 0}.items():
            value = getattr(self, key)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{key} is {value!r}: use a whole number of at least {least}")


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs: none."""
    return ()


def counts(settings: Settings) -> tuple[int, int, int]:
    """Classes, training pictures and test pictures that these settings draw."""
    names = taxonomy(settings, None)["class_name"]
    shapes = sum(name in SHAPES for name in names) if settings.domain == "source" else 0
    train, test = (
        count * (len(names) - shapes) + -(-count // 4) * shapes
        for count in (settings.train_per_class, settings.test_per_class)
    )
    return len(names), train, test


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass."""
    return ("superclass",)


def index(settings: Settings, root: Path | None) -> pd.DataFrame:
    """One row per picture: columns `key` (e.g. "train/plain-red-bird/00017"), `class_name`, `split`.

    The source domain has an eighth as many pictures of each abstract shape as of each natural class.
    """
    rows = [
        (f"{split}/{name.replace(' ', '-')}/{number:05d}", name, split)
        for split, count in zip(SPLITS, (settings.train_per_class, settings.test_per_class), strict=True)
        for name in taxonomy(settings, root)["class_name"]
        for number in range(-(-count // 8) if settings.domain == "source" and name in SHAPES else count)
    ]
    return pd.DataFrame(rows, columns=["key", "class_name", "split"])


def taxonomy(settings: Settings, root: Path | None) -> pd.DataFrame:
    """One row per class, in class-id order: `class_name`, `superclass`, then true attribute values where they apply."""
    if settings.domain == "source":
        names = [*SUPERCLASSES, *SHAPES]
        return pd.DataFrame({"class_name": names, "superclass": [*SUPERCLASSES] + ["shape"] * len(SHAPES)})
    return _subclasses(settings.classes, settings.seed).copy()


def read(rows: pd.DataFrame, resolution: int, settings: Settings, root: Path | None) -> np.ndarray:
    """Paint the given index rows, in order: uint8 `[n, resolution, resolution, 3]`."""
    classes = taxonomy(settings, root)
    ids = pd.Index(classes["class_name"]).get_indexer(rows["class_name"])
    splits = pd.Index(SPLITS).get_indexer(rows["split"])
    if (unknown := rows["key"][(ids < 0) | (splits < 0)]).size:
        raise ValueError(
            f"key {unknown.iloc[0]!r} is no picture of {settings}: take rows from index() of these settings"
        )
    numbers = rows["key"].str.rsplit("/", n=1).str[-1].astype(int).to_numpy()
    picture_keys = keys(settings.seed, DOMAINS.index(settings.domain), ids, splits, numbers)

    kinds = classes["superclass"].where(classes["superclass"] != "shape", classes["class_name"]).to_numpy()[ids]
    pictures = np.empty((len(rows), resolution, resolution, 3), np.uint8)
    for kind in pd.unique(kinds):
        here = np.flatnonzero(kinds == kind)
        scene = (SUPERCLASSES | SHAPES)[kind]
        if settings.domain == "source":
            points = _fresh_points(scene, picture_keys[here])
        else:
            points = _points(kind, settings.classes, settings.seed)[ids[here] // len(SUPERCLASSES)]
        pictures[here] = render(scene, points, picture_keys[here], resolution)
    return pictures


def _fresh_points(scene: Scene, picture_keys: np.ndarray) -> np.ndarray:
    """Attributes drawn anew for every picture, `[n, traits]`."""
    dice = Dice(keys(picture_keys, 1))  # a stream of its own, so that pose and attributes are unrelated
    points = np.empty((len(picture_keys), len(scene.traits)))
    for axis in points.T:
        axis[:] = dice.roll()[:, 0, 0]
    return points


@cache
def _points(superclass: str, classes: int, seed: int) -> np.ndarray:
    """Attributes of a superclass's subclasses, `[subclasses, traits]`, the first ones far apart."""
    count = -(-classes // len(SUPERCLASSES))
    return spread(len(SUPERCLASSES[superclass].traits), count, keys(seed, list(SUPERCLASSES).index(superclass)))


@cache
def _subclasses(classes: int, seed: int) -> pd.DataFrame:
    """The target's taxonomy; class `i` is number `i // 8` of superclass `i % 8`, whatever `classes` is."""
    tables = []
    for place, (superclass, scene) in enumerate(SUPERCLASSES.items()):
        points = _points(superclass, classes, seed)
        values = {trait.name: trait.values(unit) for trait, unit in zip(scene.traits, points.T, strict=True)}
        table = pd.DataFrame({"class_name": _names(scene, points), "superclass": superclass, **values})
        tables.append(table.set_index(table.index * len(SUPERCLASSES) + place))
    return pd.concat(tables).sort_index().iloc[:classes]


def _names(scene: Scene, points: np.ndarray) -> pd.Series:
    """Names in words; a second "plain red bird" becomes "plain red bird 2"."""
    words = pd.DataFrame({trait.name: trait.words(unit) for trait, unit in zip(scene.traits, points.T, strict=True)})
    names = pd.Series([scene.name.format(**row) for row in words.to_dict("records")])
    before = names.groupby(names).cumcount()
    return names.where(before == 0, names + " " + (before + 1).astype(str))
