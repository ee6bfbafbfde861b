"""Caltech-101: 101 kinds of objects, 31 to 800 pictures each (Fei-Fei, Fergus and Perona, 2004).

Layout: `caltech-101/101_ObjectCategories.tar.gz` within the archive, holding `<class>/image_0001.jpg`. It has no
superclasses and no fixed split: as its usual protocol asks, 30 pictures of a class train, here the first ones, and the
rest test. The folder BACKGROUND_Google, which is no class, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from finefit.data.listings import read  # noqa: F401 (read is part of a reader's interface)
from finefit.datasets import Draw, Published

PUBLISHED = Published("Caltech-101", 101, None, 3_030, 5_647, "derived")
TRAIN_PER_CLASS = 30
BACKGROUND = "BACKGROUND_Google"


@dataclass(frozen=True)
class Settings:
    """No settings."""


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs."""
    return ("caltech101",)


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass: nothing."""
    return ()


def index(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name`, `split`."""
    paths = sorted(root.glob("**/101_ObjectCategories/*/image_*.jpg"))
    table = pd.DataFrame(
        [(path.relative_to(root).as_posix(), path.parent.name) for path in paths if path.parent.name != BACKGROUND],
        columns=["key", "class_name"],
    )
    first = table.groupby("class_name").cumcount() < TRAIN_PER_CLASS
    return table.assign(split=first.map({True: "train", False: "test"}))


def taxonomy(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per class in alphabetical order: `class_name`."""
    return pd.DataFrame({"class_name": sorted(set(index(settings, root)["class_name"]))})


def stand_in(root: Path, draw: Draw) -> None:
    """Write the layout with every kind of object, and two pictures of each beyond those that train."""
    for name in (BACKGROUND, *(f"object_{number:03d}" for number in range(PUBLISHED.classes))):
        for number in range(TRAIN_PER_CLASS + 2):
            draw(root / f"caltech-101/101_ObjectCategories/{name}/image_{number + 1:04d}.jpg")
