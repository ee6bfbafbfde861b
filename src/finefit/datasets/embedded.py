"""The embedded data set: procedural pictures of natural things, needing no download.

The target domain has fine subclasses, each a point in its superclass's space of attributes. The source domain has
abstract shapes and the same superclasses: as coarse classes with fresh attributes in every picture, or divided into
fine classes of its own, none of which lies near a class that a target may have.
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
from finefit.procedural.holes import clear
from finefit.procedural.traits import spread

DOMAIN = "drawings"
PUBLISHED = Published("embedded pictures (target, as the mini study draws them)", 16, 8, 2_048, 1_024, "drawn by it")
Domain = Literal["target", "source"]
DOMAINS, SPLITS = get_args(Domain), ("train", "test")  # a name's place is its number in a picture's key
# The source's fine classes keep clear of these targets: their first classes under the first seeds.
RESERVED_CLASSES, RESERVED_SEEDS = 32, 10
LEAST = {"classes": 1, "train_per_class": 1, "test_per_class": 1, "seed": 0, "fine_classes": 0}
MOST = {"classes": 16384, "train_per_class": 10**6, "test_per_class": 10**6, "seed": 2**63 - 1, "fine_classes": 16384}


@dataclass(frozen=True)
class Settings:
    """What to draw.

    Attributes:
        classes: subclasses of the target.
        fine_classes: classes of the source beside its shapes; 0 are the eight superclasses, undivided.
        rarest: training pictures of the target's last class, to which they fall geometrically from `train_per_class`
            (the long tail of Cui et al. 2019, section 5); None: as many of every class.
        shift: how far 0..1 the target's pictures are from the source's in light, palette and drawing.
    """

    domain: Domain = "target"
    classes: int = 16
    train_per_class: int = 128
    test_per_class: int = 64
    seed: int = 0
    fine_classes: int = 0
    shift: float = 0.0
    rarest: int | None = None

    def __post_init__(self) -> None:
        if self.domain not in DOMAINS:
            raise ValueError(f"domain is {self.domain!r}: use one of {', '.join(DOMAINS)}")
        for key, least in LEAST.items():
            value = getattr(self, key)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MOST[key]:
                raise ValueError(f"{key} is {value!r}: use a whole number of at least {least}, at most {MOST[key]}")
        if not 0 <= self.shift <= 1:
            raise ValueError(f"shift is {self.shift!r}: use a number from 0 to 1")
        if self.fine_classes and self.domain == "target":
            raise ValueError("fine_classes divides the source's superclasses; classes counts a target's")
        if self.rarest is not None and (self.domain == "source" or not 1 <= self.rarest <= self.train_per_class):
            raise ValueError(
                f"rarest is {self.rarest!r}: use 1 to train_per_class ({self.train_per_class}), of a target"
            )
        if self.shift and self.domain == "source":
            raise ValueError("shift is the target's distance from the source, which has none itself")


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs: none."""
    return ()


def counts(settings: Settings) -> tuple[int, int, int]:
    """Classes, training pictures and test pictures that these settings draw."""
    names = taxonomy(settings, None)["class_name"]
    train, test = (sum(per_class.values()) for per_class in _per_class(settings, names))
    return len(names), train, test


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass."""
    return ("superclass",)


def index(settings: Settings, root: Path | None) -> pd.DataFrame:
    """One row per picture: columns `key` (e.g. "train/plain-red-bird/00017"), `class_name`, `split`.

    The source domain has an eighth as many pictures of each abstract shape as of each superclass.
    """
    names = taxonomy(settings, root)["class_name"]
    rows = [
        (f"{split}/{name.replace(' ', '-')}/{number:05d}", name, split)
        for split, per_class in zip(SPLITS, _per_class(settings, names), strict=True)
        for name, count in per_class.items()
        for number in range(count)
    ]
    return pd.DataFrame(rows, columns=["key", "class_name", "split"])


def taxonomy(settings: Settings, root: Path | None) -> pd.DataFrame:
    """One row per class, in class-id order: `class_name`, `superclass`, then true attribute values where they apply."""
    if settings.domain == "target":
        return _subclasses(settings.domain, settings.classes, settings.seed).copy()
    shapes = pd.DataFrame({"class_name": [*SHAPES], "superclass": "shape"})
    natural = pd.DataFrame({"class_name": [*SUPERCLASSES], "superclass": [*SUPERCLASSES]})
    if settings.fine_classes:
        natural = _subclasses(settings.domain, settings.fine_classes, settings.seed)
    return pd.concat([natural, shapes], ignore_index=True)


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
        if kind in SHAPES or (settings.domain == "source" and not settings.fine_classes):
            points = _fresh_points(scene, picture_keys[here])
        else:
            count = settings.classes if settings.domain == "target" else settings.fine_classes
            points = points_of(settings.domain, kind, count, settings.seed)[ids[here] // len(SUPERCLASSES)]
        pictures[here] = render(scene, points, picture_keys[here], resolution, settings.shift)
    return pictures


def _fresh_points(scene: Scene, picture_keys: np.ndarray) -> np.ndarray:
    """Attributes drawn anew for every picture, `[n, traits]`."""
    dice = Dice(keys(picture_keys, 1))  # a stream of its own, so that pose and attributes are unrelated
    points = np.empty((len(picture_keys), len(scene.traits)))
    for axis in points.T:
        axis[:] = dice.roll()[:, 0, 0]
    return points


def _per_class(settings: Settings, names: pd.Series) -> list[dict[str, int]]:
    """Pictures of each class, by its name, in each split."""
    of_kind = -(-settings.fine_classes // len(SUPERCLASSES)) or 1  # classes that a superclass of the source has
    shapes = SHAPES if settings.domain == "source" else {}
    train, test = (
        {name: -(-count * of_kind // 8) if name in shapes else count for name in names}
        for count in (settings.train_per_class, settings.test_per_class)
    )
    if settings.rarest is not None:
        tail = np.geomspace(settings.train_per_class, settings.rarest, len(names)).round().astype(int)
        train = dict(zip(names, tail.tolist(), strict=True))
    return [train, test]


@cache
def points_of(domain: Domain, superclass: str, classes: int, seed: int) -> np.ndarray:
    """Attributes of a superclass's subclasses, `[subclasses, traits]`, the first ones far apart."""
    count, place = -(-classes // len(SUPERCLASSES)), list(SUPERCLASSES).index(superclass)
    traits = SUPERCLASSES[superclass].traits
    if domain == "target":
        return spread(len(traits), count, keys(seed, place))
    reserved = [points_of("target", superclass, RESERVED_CLASSES, reserved) for reserved in range(RESERVED_SEEDS)]
    return clear(traits, count, keys(seed, place, DOMAINS.index(domain)), np.concatenate(reserved))


@cache
def _subclasses(domain: Domain, classes: int, seed: int) -> pd.DataFrame:
    """A domain's fine classes; class `i` is number `i // 8` of superclass `i % 8`."""
    tables = []
    for place, (superclass, scene) in enumerate(SUPERCLASSES.items()):
        points = points_of(domain, superclass, classes, seed)
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
