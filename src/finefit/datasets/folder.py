"""Your own photographs in folders: `superclass/class/picture.jpg` below one folder.

A folder of your own has no checksum in data/sources.csv; it enters the study by its listing (paths and sizes), so
adding or removing pictures makes new artifacts, and what was made from the old listing stays.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from finefit.pictures import read_files

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Settings:
    """Where the pictures are, and which part of every class is kept for testing (`test_every`: one in so many)."""

    path: str = ""
    test_every: int = 5

    def __post_init__(self) -> None:
        if not Path(self.path).is_dir() or not self.path:
            raise ValueError(f"path is {self.path!r}: no such folder; give one that holds superclass/class/picture.jpg")
        if self.test_every < 2:
            raise ValueError(f"test_every is {self.test_every}: use at least 2, so that pictures are left to train on")


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs: none."""
    return ()


def listing(settings: Settings) -> str:
    """sha256 of the pictures' paths and sizes: what identifies a folder that has no published checksum."""
    lines = [f"{path} {(Path(settings.path) / path).stat().st_size}\n" for path in _pictures(settings.path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def counts(settings: Settings) -> tuple[int, int, int]:
    """Classes, training pictures and test pictures in the folder."""
    table = index(settings, None)
    test = int((table["split"] == "test").sum())
    return table["class_name"].nunique(), len(table) - test, test


def index(settings: Settings, root: Path | None) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name`, `split`; every n-th of a class tests."""
    table = _table(settings)
    place = table.groupby("class_name").cumcount()
    table["split"] = np.where(place % settings.test_every == settings.test_every - 1, "test", "train")
    return table[["key", "class_name", "split"]]


def taxonomy(settings: Settings, root: Path | None) -> pd.DataFrame:
    """One row per class, sorted by superclass and class: `class_name`, `superclass`."""
    return _table(settings)[["class_name", "superclass"]].drop_duplicates(ignore_index=True)


def read(rows: pd.DataFrame, resolution: int, settings: Settings, root: Path | None) -> np.ndarray:
    """Photographs of index rows, uint8 `[n, resolution, resolution, 3]`."""
    return read_files([Path(settings.path) / key for key in rows["key"]], resolution)


def _table(settings: Settings) -> pd.DataFrame:
    """`key`, `class_name`, `superclass` of every picture; a name that two superclasses share is written with both."""
    paths = _pictures(settings.path)
    superclasses = Counter(name for name, _ in {(path.parts[1], path.parts[0]) for path in paths})
    rows = [
        (
            path.as_posix(),
            path.parts[1] if superclasses[path.parts[1]] == 1 else "/".join(path.parts[:2]),
            path.parts[0],
        )
        for path in paths
    ]
    return pd.DataFrame(rows, columns=["key", "class_name", "superclass"])


@lru_cache(maxsize=4)
def _pictures(folder: str) -> list[Path]:
    """Paths of all pictures below a folder, relative and sorted.

    Raises:
        ValueError: there is none, or one lies elsewhere than two folders down.
    """
    found = sorted(path.relative_to(folder) for path in Path(folder).rglob("*") if path.suffix.lower() in ENDINGS)
    if not found:
        raise ValueError(f"path is {folder!r}: no picture in it; expected superclass/class/picture.jpg")
    misplaced = [path.as_posix() for path in found if len(path.parts) != 3]
    if misplaced:
        raise ValueError(f"path is {folder!r}: expected superclass/class/picture.jpg, found {', '.join(misplaced[:5])}")
    return found
