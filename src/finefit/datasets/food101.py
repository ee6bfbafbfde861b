"""Food-101: 101 dishes, 750 training and 250 test pictures each (Bossard, Guillaumin and Van Gool, ECCV 2014).

Layout: `food-101/images/<class>/<number>.jpg`, `food-101/meta/{classes,train,test}.txt`. It has no superclasses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from finefit.data.listings import only, read, words  # noqa: F401 (read is part of a reader's interface)
from finefit.datasets import Draw, Published

PUBLISHED = Published("Food-101", 101, None, 75_750, 25_250, "derived")


@dataclass(frozen=True)
class Settings:
    """No settings."""


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs."""
    return ("food101",)


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass: nothing."""
    return ()


def index(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name`, `split`."""
    parts = []
    for split in ("train", "test"):
        rows = words(only(root, f"food-101/meta/{split}.txt"), ["name"])
        rows["class_name"] = rows["name"].str.split("/").str[0].str.replace("_", " ")
        rows["key"] = "food-101/images/" + rows["name"] + ".jpg"
        parts.append(rows.assign(split=split)[["key", "class_name", "split"]])
    return pd.concat(parts, ignore_index=True)


def taxonomy(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per class in the archive's order: `class_name`."""
    classes = words(only(root, "food-101/meta/classes.txt"), ["class_name"])
    return classes.apply(lambda column: column.str.replace("_", " "))


def stand_in(root: Path, draw: Draw) -> None:
    """Write the layout with every dish, and two pictures of each in either split."""
    names = [f"dish_{number:03d}" for number in range(PUBLISHED.classes)]
    meta = root / "food-101/meta"
    meta.mkdir(parents=True)
    (meta / "classes.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    for split in ("train", "test"):
        rows = [f"{name}/{split}{number}" for name in names for number in (0, 1)]
        (meta / f"{split}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
        for row in rows:
            draw(root / f"food-101/images/{row}.jpg")
