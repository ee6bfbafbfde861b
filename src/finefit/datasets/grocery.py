"""Grocery Store photographs: 81 fine classes of fruit, vegetables and cartons in 43 coarse ones.

Klasson, Zhang and Kjellstrom, "A Hierarchical Grocery Store Image Dataset with Visual and Semantic Labels", WACV 2019.
Its publishers speak of 42 coarse classes, its lists hold 43. They give the splits too; `val` is joined to `train`,
since nothing here is tuned on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from finefit.data.listings import only
from finefit.data.pictures import read_files
from finefit.datasets import Published
from finefit.jobs import readers

PUBLISHED = Published("Grocery Store", 81, 43, 2_936, 2_485, "its coarse classes")
ARCHIVES = {"grocery-128": 128, "grocery": None}  # the shortest side where photographs were scaled
SPLIT_OF_LIST = {"train": "train", "val": "train", "test": "test"}


@dataclass(frozen=True)
class Settings:
    """Which archive of data/sources.csv to read."""

    archive: str = "grocery-128"

    def __post_init__(self) -> None:
        if self.archive not in ARCHIVES:
            raise ValueError(f"archive is {self.archive!r}: use one of {', '.join(ARCHIVES)}")


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs."""
    return (settings.archive,)


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass."""
    return ("superclass",)


def pixels(settings: Settings) -> int | None:
    """Side of its pictures, None where they are larger than any study asks."""
    return ARCHIVES[settings.archive]


def index(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per photograph: `key` (its path below `dataset/`), `class_name`, `split`."""
    names = _classes(root)["Class Name (str)"]
    lists = []
    for name, split in SPLIT_OF_LIST.items():
        rows = readers.table(
            folder(root) / f"{name}.txt",
            readers.UNPACKED,
            header=None,
            names=["key", "fine", "coarse"],
            skipinitialspace=True,
            keep_default_na=False,
        )
        lists.append(
            pd.DataFrame({"key": rows["key"], "class_name": names.loc[rows["fine"]].to_numpy(), "split": split})
        )
    return pd.concat(lists, ignore_index=True)


def taxonomy(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per fine class in the archive's order: `class_name`, `superclass` (its coarse class)."""
    classes = _classes(root)
    return pd.DataFrame(
        {
            "class_name": classes["Class Name (str)"].to_numpy(),
            "superclass": classes["Coarse Class Name (str)"].to_numpy(),
        }
    )


def read(rows: pd.DataFrame, resolution: int, settings: Settings, root: Path) -> np.ndarray:
    """Photographs of index rows, uint8 `[n, resolution, resolution, 3]`."""
    return read_files([folder(root) / key for key in rows["key"]], resolution)


def _classes(root: Path) -> pd.DataFrame:
    return (
        readers.table(folder(root) / "classes.csv", readers.UNPACKED, keep_default_na=False)
        .set_index("Class ID (int)")
        .sort_index()
    )


def folder(root: Path) -> Path:
    """The `dataset` folder below the archive's single top folder, whose name bears the commit."""
    return only(root, "*/dataset")
