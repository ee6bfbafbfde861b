"""Caltech-101: 101 kinds of objects, 31 to 800 pictures each (Fei-Fei, Fergus and Perona, 2004).

Layout: `caltech-101/101_ObjectCategories.tar.gz` within the archive, holding `<class>/image_0001.jpg`. It has no fixed
split: as its usual protocol asks, 30 pictures of a class train, here the first ones, and the rest test. The folder
BACKGROUND_Google, which is no class, is left out; so is what a Mac packed beside every file (`._image_0001.jpg`), when
the archive is unpacked.

The archive has no superclasses; they come from data/taxonomies/caltech-101-wordnet.csv: which WordNet 3.0 synset a
class shows is ours to say, the superclass above that is found by `python -m benchmarks.truth.wordnet`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from finefit.data.listings import read  # noqa: F401 (read is part of a reader's interface)
from finefit.datasets import Draw, Published
from finefit.jobs import readers

PUBLISHED = Published("Caltech-101", 101, None, 3_030, 5_647, "WordNet (ours: data/taxonomies)")
TRAIN_PER_CLASS = 30
BACKGROUND = "BACKGROUND_Google"
TAXONOMY = Path("data/taxonomies/caltech-101-wordnet.csv")
ARCHIVES = {"caltech101": None, "caltech101-128": 128}  # the shortest side where pictures were scaled


@dataclass(frozen=True)
class Settings:
    """Which archive of data/sources.csv to read: the published one, or its pictures scaled to 128 pixels."""

    archive: str = "caltech101"

    def __post_init__(self) -> None:
        if self.archive not in ARCHIVES:
            raise ValueError(f"archive is {self.archive!r}: use one of {', '.join(ARCHIVES)}")


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs."""
    return (settings.archive,)


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass: a synset above five classes or more."""
    return ("superclass",)


def pixels(settings: Settings) -> int | None:
    """Side of its pictures, None where they are larger than any study asks."""
    return ARCHIVES[settings.archive]


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
    """One row per class in alphabetical order: `class_name`, `superclass`.

    Raises:
        ValueError: the table of superclasses lacks a class.
    """
    names = sorted(set(index(settings, root)["class_name"]))
    above = _superclasses()
    if missing := sorted(set(names) - set(above.index)):
        raise ValueError(f"{TAXONOMY}: no row for {', '.join(missing)}; add one for each")
    return pd.DataFrame({"class_name": names, "superclass": above.loc[names].to_numpy()})


def stand_in(root: Path, draw: Draw) -> None:
    """Write the layout with every kind of object, and two pictures of each beyond those that train."""
    for name in (BACKGROUND, *_superclasses().index[: PUBLISHED.classes]):
        for number in range(TRAIN_PER_CLASS + 2):
            draw(root / f"caltech-101/101_ObjectCategories/{name}/image_{number + 1:04d}.jpg")


def _superclasses() -> pd.Series:
    """Superclass of every class, by its name."""
    return readers.table(TAXONOMY, readers.SHIPPED, keep_default_na=False).set_index("class_name")["superclass"]
