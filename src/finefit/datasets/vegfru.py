"""VegFru: 292 kinds of vegetables and fruit in 25 superclasses (Hou, Feng and Wang, ICCV 2017).

Layout: `veg200_images/<class>/*.jpg`, `fru92_images/<class>/*.jpg`, and `vegfru_list/vegfru_{train,val,test}.txt` with
a path and a class number per line; `supvegfru_*.txt` holds the superclass numbers of the same paths. The lists give
superclasses no names. `val` is joined to `train`, since nothing here is tuned on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from finefit.data.listings import only, read, words  # noqa: F401 (read is part of a reader's interface)
from finefit.datasets import Draw, Published

PUBLISHED = Published("VegFru", 292, 25, 43_800, 116_931, "its superclass lists")
SPLITS = {"train": "train", "val": "train", "test": "test"}


@dataclass(frozen=True)
class Settings:
    """No settings."""


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs."""
    return ("vegfru",)


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass."""
    return ("superclass",)


def index(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name` (its folder's name), `split`."""
    return _lists(root)[["key", "class_name", "split"]]


def taxonomy(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per class in the order of the list's numbers: `class_name`, `superclass` ("superclass 07")."""
    table = _lists(root).drop_duplicates("class_name").sort_values("number", ignore_index=True)
    return table[["class_name", "superclass"]]


def stand_in(root: Path, draw: Draw) -> None:
    """Write the layout with every class, and two pictures of each in every list."""
    lists = root / "vegfru/vegfru_list"
    lists.mkdir(parents=True)
    for name in SPLITS:
        keys = [
            (f"veg200_images/class_{number:03d}/{name}_{k}.jpg", number)
            for number in range(PUBLISHED.classes)
            for k in (0, 1)
        ]
        for file, divisor in (("vegfru", 1), ("supvegfru", -(-PUBLISHED.classes // PUBLISHED.superclasses))):
            rows = "\n".join(f"{key} {number // divisor}" for key, number in keys)
            (lists / f"{file}_{name}.txt").write_text(rows + "\n", encoding="utf-8")
        for key, _ in keys:
            draw(root / "vegfru" / key)


def _lists(root: Path) -> pd.DataFrame:
    folder = only(root, "**/vegfru_list")
    parts = []
    for name, split in SPLITS.items():
        rows = words(folder / f"vegfru_{name}.txt", ["key", "number"])
        above = words(folder / f"supvegfru_{name}.txt", ["key", "above"])
        rows = rows.merge(above, on="key", how="left", validate="one_to_one")
        rows["split"] = split
        parts.append(rows)
    table = pd.concat(parts, ignore_index=True)
    table["class_name"] = table["key"].str.split("/").str[-2].str.replace("_", " ")
    table["superclass"] = "superclass " + table["above"].astype(int).map("{:02d}".format)
    table["number"] = table["number"].astype(int)
    table["key"] = f"{folder.parent.relative_to(root).as_posix()}/" + table["key"]
    return table
