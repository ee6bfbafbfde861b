"""Your own photographs in folders: `superclass/class/picture.jpg`, or `class/picture.jpg`, below one folder.

A folder of your own has no checksum in data/sources.csv; it enters the study by its listing (paths and sizes), so
adding or removing pictures makes new artifacts, and what was made from the old listing stays. Every picture is opened
once, when the index is made; all that is wrong is told at once.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from finefit.data.pictures import ENDINGS, fault, read_files
from finefit.jobs.progress import progress

PUBLISHED = None
LAYOUTS = "superclass/class/picture.jpg or class/picture.jpg"


@dataclass(frozen=True)
class Settings:
    """Where the pictures are, and which part of every class is kept for testing (`test_every`: one in so many)."""

    path: str = ""
    test_every: int = 5

    def __post_init__(self) -> None:
        if not Path(self.path).is_dir() or not self.path:
            raise ValueError(f"path is {self.path!r}: no such folder; give one that holds {LAYOUTS}")
        if self.test_every < 2:
            raise ValueError(f"test_every is {self.test_every}: use at least 2, so that pictures are left to train on")


class Content(NamedTuple):
    """What lies below a folder, each as paths relative to it, sorted; hidden files are not looked at."""

    pictures: dict[str, int]  # with their sizes in bytes
    others: list[str]
    empty: list[str]  # folders with neither a picture nor a folder in them


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs: none."""
    return ()


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass: the outer folders, where there are two levels."""
    depths = {path.count("/") for path in _content(settings.path).pictures}
    return ("superclass",) if depths == {2} else ()


def listing(settings: Settings) -> str:
    """sha256 of the pictures' paths and sizes: what identifies a folder that has no published checksum."""
    lines = [f"{path} {size}\n" for path, size in _content(settings.path).pictures.items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def counts(settings: Settings) -> tuple[int, int, int]:
    """Classes, training pictures and test pictures in the folder, by its listing: no picture is opened."""
    of_class = Counter(path.rpartition("/")[0] for path in _content(settings.path).pictures)
    test = sum(count // settings.test_every for count in of_class.values())
    return len(of_class), of_class.total() - test, test


def index(settings: Settings, root: Path | None) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name`, `split`; every n-th of a class tests.

    Raises:
        ValueError: pictures cannot be read or are misplaced, or a class is empty; the message lists all of them.
    """
    content = _content(settings.path)
    faults = [f"{path}: holds no picture; remove it or add some" for path in content.empty]
    for path in progress(content.pictures, "checking pictures"):
        if wrong := fault(Path(settings.path) / path):
            faults.append(f"{path}: {wrong}; replace or remove it")
    if faults:
        raise ValueError("\n".join(f"{settings.path}/{line}" for line in faults))
    if content.others:
        print(f"{settings.path}: {len(content.others)} files are no pictures and are left out:", file=sys.stderr)
        print("\n".join(f"  {path}" for path in content.others), file=sys.stderr, flush=True)
    rows = table(settings)
    place = rows.groupby("class_name").cumcount()
    rows["split"] = np.where(place % settings.test_every == settings.test_every - 1, "test", "train")
    return rows[["key", "class_name", "split"]]


def taxonomy(settings: Settings, root: Path | None) -> pd.DataFrame:
    """One row per class, sorted by superclass and class: `class_name`, and `superclass` where there are two levels."""
    return table(settings)[["class_name", *ranks(settings)]].drop_duplicates(ignore_index=True)


def read(rows: pd.DataFrame, resolution: int, settings: Settings, root: Path | None) -> np.ndarray:
    """Photographs of index rows, uint8 `[n, resolution, resolution, 3]`."""
    return read_files([Path(settings.path) / key for key in rows["key"]], resolution)


def table(settings: Settings) -> pd.DataFrame:
    """`key`, `class_name`, `superclass` of every picture; a name that two superclasses share is written with both."""
    keys = list(_content(settings.path).pictures)
    folders = [key.rpartition("/")[0] for key in keys]
    parts = {folder: folder.rpartition("/") for folder in folders}  # superclass, "/", class
    shared = Counter(name for _, _, name in parts.values())
    names = [folder if shared[parts[folder][2]] > 1 else parts[folder][2] for folder in folders]
    return pd.DataFrame({"key": keys, "class_name": names, "superclass": [parts[folder][0] for folder in folders]})


@lru_cache(maxsize=4)
def _content(folder: str) -> Content:
    """What lies below a folder.

    Raises:
        ValueError: it holds no picture, or pictures at different depths; the message lists those in the way.
    """
    found = list(_walk(folder, ""))
    pictures = dict(sorted((path, size) for kind, path, size in found if kind == "picture"))
    if not pictures:
        raise ValueError(f"path is {folder!r}: no picture in it; expected {LAYOUTS}")
    depths = Counter(path.count("/") for path in pictures)
    usual = max((depth for depth in depths if depth in (1, 2)), key=depths.get, default=0)
    if misplaced := [path for path in pictures if path.count("/") != usual]:
        raise ValueError(f"path is {folder!r}: expected {LAYOUTS}, one of the two, found {', '.join(misplaced)}")
    others, empty = (sorted(path for kind, path, _ in found if kind == wanted) for wanted in ("other", "empty"))
    return Content(pictures, others, empty)


def _walk(folder: str, below: str) -> Iterator[tuple[str, str, int]]:
    """Kind ("picture", "other" or "empty"), relative path and size of what lies below a folder; opens no file."""
    entries = [entry for entry in os.scandir(os.path.join(folder, below)) if not entry.name.startswith(".")]
    used = False
    for entry in entries:
        path = f"{below}{entry.name}"
        if entry.is_dir():
            used = True
            yield from _walk(folder, f"{path}/")
        elif os.path.splitext(path)[1].lower() in ENDINGS:
            used = True
            yield "picture", path, entry.stat().st_size
        else:
            yield "other", path, 0
    if not used and below:
        yield "empty", below.rstrip("/"), 0
