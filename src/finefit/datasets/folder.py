"""Your own photographs in folders: `superclass/class/picture.jpg`, or `class/picture.jpg`, below one folder.

Either may lie below folders that are named as splits are, `train/class/picture.jpg` and `val/class/picture.jpg`. A
folder of your own has no checksum in data/sources.csv; it enters the study by its pictures' paths and contents, so
adding, removing or overwriting one makes new artifacts, and what was made before stays. What the listing shows to be
wrong is told when the study is read; every picture is opened once, when the index is made; each time all at once. A
picture that is read later has to be the one that was listed.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finefit.data import contents, folders
from finefit.data.folders import LAYOUTS, Content
from finefit.data.pictures import DEEP, look, read_files
from finefit.jobs.progress import progress

PUBLISHED = None
DOMAIN = "own photographs"
LEAST_BITS = 8
DARK = 2 ** (DEEP - 2)  # largest value of 16-bit pictures below which their range is asked for
AGAIN = "repeat the command, and the study begins with what is there"


@dataclass(frozen=True)
class Settings:
    """Where the pictures are, and which part of every class is kept for testing (`test_every`: one in so many).

    `bits` is the range of pictures with 16-bit values (12 of many cameras and microscopes); None asks where it matters.
    `listing` is that of a study under way, which goes on with the pictures that it began with; None lists them now.
    """

    path: str = ""
    test_every: int = 5
    bits: int | None = None
    listing: str | None = None

    def __post_init__(self) -> None:
        if not Path(self.path).is_dir() or not self.path:
            raise ValueError(f"path is {self.path!r}: no such folder; give one that holds {LAYOUTS}")
        if self.test_every < 2:
            raise ValueError(f"test_every is {self.test_every}: use at least 2, so that pictures are left to train on")
        if self.bits is not None and not LEAST_BITS <= self.bits <= DEEP:
            raise ValueError(f"bits is {self.bits}: use {LEAST_BITS} to {DEEP}, the range of pictures with deep values")


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs: none."""
    return ()


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass: the outer folders, where there are two levels."""
    content = _of(settings)
    return ("superclass",) if all("/" in folder for folder in content.classes) else ()


def listing(settings: Settings) -> str:
    """sha256 of the pictures' paths and contents: what identifies a folder that has no published checksum."""
    return contents.listing(_of(settings).pictures)


def identity(options: dict[str, Any]) -> dict[str, Any]:
    """The options that decide what is read: the pictures are their contents, wherever they lie."""
    return {key: value for key, value in options.items() if key not in ("path", "listing")}


def begun(options: dict[str, Any]) -> dict[str, Any]:
    """Options that stay with the pictures of now, whatever happens to the folder; their listing is kept for that."""
    settings = Settings(**options)
    contents.keep(listing(settings), asdict(_of(settings)))
    return options | {"listing": listing(settings)}


def counts(settings: Settings) -> tuple[int, int, int]:
    """Classes, training pictures and test pictures in the folder, by its listing: no picture is opened."""
    content = _of(settings)
    if content.splits:
        test = sum(content.splits[path.partition("/")[0]] == "test" for path in content.pictures)
    else:
        test = sum(len(paths) // settings.test_every for paths in content.classes.values())
    return len(content.classes), len(content.pictures) - test, test


def distinct(settings: Settings) -> int:
    """How many of its classes do not hold the very pictures of another."""
    content = _of(settings)
    return len({frozenset(content.pictures[path] for path in paths) for paths in content.classes.values()})


def copies(settings: Settings) -> dict[str, list[str]]:
    """Paths of the pictures of one content, by that, where there are several."""
    same: dict[str, list[str]] = {}
    for path, checksum in _of(settings).pictures.items():
        same.setdefault(checksum, []).append(path)
    return {checksum: paths for checksum, paths in same.items() if len(paths) > 1}


def faults(settings: Settings) -> list[str]:
    """What the folder's listing shows to be wrong, each with its path."""
    content = _of(settings)
    found = [f"{settings.path}/{fault}" for fault in content.faults]
    classes, _, test = counts(settings)
    if content.splits and not test:
        found.append(f"{settings.path}: {' and '.join(content.splits)} train, and nothing tests; add pictures in test/")
    elif not test:
        found.append(
            f"{settings.path}: {classes} classes, none with the {settings.test_every} pictures of which one is kept "
            "for testing: add pictures, or set options: {test_every: 2} (or more)"
        )
    return found


def parted(settings: Settings) -> list[str]:
    """What each of the outermost folders is for, where those are splits."""
    return [f"{folder}/ {split}s" for folder, split in sorted(_of(settings).splits.items())]


def notes(settings: Settings) -> list[str]:
    """What was understood, and left out, without asking."""
    content = _of(settings)
    found = []
    if parts := parted(settings):
        found.append(f"{settings.path}: its folders are read as splits: {', '.join(parts)}; test_every does not count")
    if content.others:
        found.append(f"{settings.path}: no pictures that are read, and left out: {folders.by_ending(content.others)}")
    return found


def index(settings: Settings, root: Path | None) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name`, `split`.

    Raises:
        ValueError: pictures cannot be read, are misplaced or are not those that were listed, or a class is empty; the
            message lists all of them.
    """
    content = _of(settings)
    faults, deep = [f"{settings.path}/{fault}" for fault in content.faults], {}
    for path in progress(content.pictures, "checking pictures"):
        try:
            fault, largest = look(_listed(settings, Path(settings.path) / path), settings.bits)
        except ValueError as error:
            faults.append(str(error))
            continue
        if fault:
            faults.append(f"{settings.path}/{path}: {fault}; replace or remove it")
        elif largest:
            deep[path] = largest
    if faults := faults + _doubtful(settings, deep):
        raise ValueError("\n".join(faults))
    for note in notes(settings):
        print(note, file=sys.stderr, flush=True)
    return _index(settings)


def taxonomy(settings: Settings, root: Path | None) -> pd.DataFrame:
    """One row per class, sorted by superclass and class: `class_name`, and `superclass` where there are two levels."""
    return table(settings)[["class_name", *ranks(settings)]].drop_duplicates(ignore_index=True)


def read(rows: pd.DataFrame, resolution: int, settings: Settings, root: Path | None) -> np.ndarray:
    """Photographs of index rows, uint8 `[n, resolution, resolution, 3]`.

    Raises:
        ValueError: one cannot be read, or is not the one that was listed.
    """
    return read_files(files(rows, settings, root), resolution, settings.bits, partial(_listed, settings))


def files(rows: pd.DataFrame, settings: Settings, root: Path | None) -> list[Path]:
    """Paths of the picture files of index rows."""
    return [Path(settings.path) / key for key in rows["key"]]


def table(settings: Settings) -> pd.DataFrame:
    """`key`, `class_name`, `superclass` of every picture; a name that two superclasses share is written with both."""
    content = _of(settings)
    parts = {folder: folder.rpartition("/") for folder in content.classes}  # superclass, "/", class
    shared = Counter(name for _, _, name in parts.values())
    rows = [
        (key, folder if shared[name] > 1 else name, above)
        for folder, (above, _, name) in parts.items()
        for key in content.classes[folder]
    ]
    return pd.DataFrame(rows, columns=["key", "class_name", "superclass"])


def _index(settings: Settings) -> pd.DataFrame:
    """Key, class and split of every picture: by its split's folder, else every n-th of a class tests."""
    rows, splits = table(settings), _of(settings).splits
    if splits:
        rows["split"] = rows["key"].str.split("/", n=1).str[0].map(splits)
    else:
        place = rows.groupby("class_name").cumcount()
        rows["split"] = np.where(place % settings.test_every == settings.test_every - 1, "test", "train")
    return rows[["key", "class_name", "split"]]


def _listed(settings: Settings, path: Path) -> bytes:
    """A picture file's bytes.

    Raises:
        ValueError: it cannot be read, or they are not those of the listing.
    """
    wanted = _of(settings).pictures[path.relative_to(settings.path).as_posix()]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}, since this study began; {AGAIN}") from None
    if contents.of_bytes(content) != wanted:
        raise ValueError(f"{path}: overwritten since this study began; {AGAIN}")
    return content


def _doubtful(settings: Settings, deep: dict[str, int]) -> list[str]:
    """The fault of 16-bit pictures (largest value by path) that together use a quarter of the range or less."""
    largest = max(deep.values(), default=DARK)
    if settings.bits or largest >= DARK:
        return []
    told = f"{settings.path}/{next(iter(deep))}" + (f" and {len(deep) - 1} more" if len(deep) > 1 else "")
    return [
        f"{told}: 16-bit values that end at {largest}: read as 16 bits they would be nearly black; say how many bits "
        f"they have by options: {{bits: {max(LEAST_BITS, largest.bit_length())}}} (of grey pictures; convert colour to "
        f"8 bits), or bits: {DEEP}, and they stay dark"
    ]


def _of(settings: Settings) -> Content:
    """What lies below the folder of settings, or lay there when their study began."""
    return folders.content(settings.path, settings.listing)
