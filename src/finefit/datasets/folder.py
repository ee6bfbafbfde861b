"""Your own photographs in folders: `superclass/class/picture.jpg`, or `class/picture.jpg`, below one folder.

A folder of your own has no checksum in data/sources.csv; it enters the study by its listing (paths and sizes), so
adding or removing pictures makes new artifacts, and what was made from the old listing stays. What the listing shows to
be wrong is told when the study is read; every picture is opened once, when the index is made; each time all at once.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from finefit.data import names
from finefit.data.pictures import DEEP, ENDINGS, look, read_files
from finefit.jobs.progress import progress

PUBLISHED = None
IGNORED = (".", "__MACOSX", "@eaDir")  # how names of no content begin: hidden files, and what Macs and stores add
LAYOUTS = "superclass/class/picture.jpg or class/picture.jpg"
DARK = 2 ** (DEEP - 2)  # largest value of 16-bit pictures below which their range is asked for
SHOWN = 20


@dataclass(frozen=True)
class Settings:
    """Where the pictures are, and which part of every class is kept for testing (`test_every`: one in so many).

    `bits` is the range of pictures with 16-bit values (12 of many cameras and microscopes); None asks where it matters.
    """

    path: str = ""
    test_every: int = 5
    bits: int | None = None

    def __post_init__(self) -> None:
        if not Path(self.path).is_dir() or not self.path:
            raise ValueError(f"path is {self.path!r}: no such folder; give one that holds {LAYOUTS}")
        if self.test_every < 2:
            raise ValueError(f"test_every is {self.test_every}: use at least 2, so that pictures are left to train on")
        if self.bits is not None and not 9 <= self.bits <= DEEP:
            raise ValueError(f"bits is {self.bits}: use 9 to {DEEP}, the range of pictures with 16-bit values")


class Content(NamedTuple):
    """What lies below a folder, each as paths relative to it, sorted; hidden files are not looked at."""

    pictures: dict[str, int]  # with their sizes in bytes
    others: list[str]
    faults: list[str]  # what is wrong, each with its path


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


def faults(settings: Settings) -> list[str]:
    """What the folder's listing shows to be wrong, each with its path."""
    found = [f"{settings.path}/{fault}" for fault in _content(settings.path).faults]
    classes, _, test = counts(settings)
    if not test:
        found.append(
            f"{settings.path}: {classes} classes, none with the {settings.test_every} pictures of which one is kept "
            "for testing: add pictures, or set options: {test_every: 2} (or more)"
        )
    return found


def index(settings: Settings, root: Path | None) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name`, `split`; every n-th of a class tests.

    Raises:
        ValueError: pictures cannot be read or are misplaced, or a class is empty; the message lists all of them.
    """
    content = _content(settings.path)
    faults, deep = [f"{settings.path}/{fault}" for fault in content.faults], {}
    for path in progress(content.pictures, "checking pictures"):
        fault, largest = look(Path(settings.path) / path, settings.bits)
        if fault:
            faults.append(f"{settings.path}/{path}: {fault}; replace or remove it")
        elif largest:
            deep[path] = largest
    if faults := faults + _doubtful(settings, deep):
        raise ValueError("\n".join(faults))
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
    return read_files(files(rows, settings, root), resolution, settings.bits)


def files(rows: pd.DataFrame, settings: Settings, root: Path | None) -> list[Path]:
    """Paths of the picture files of index rows."""
    return [Path(settings.path) / key for key in rows["key"]]


def table(settings: Settings) -> pd.DataFrame:
    """`key`, `class_name`, `superclass` of every picture; a name that two superclasses share is written with both."""
    keys = list(_content(settings.path).pictures)
    folders = [key.rpartition("/")[0] for key in keys]
    parts = {folder: folder.rpartition("/") for folder in folders}  # superclass, "/", class
    shared = Counter(name for _, _, name in parts.values())
    classes = [folder if shared[parts[folder][2]] > 1 else parts[folder][2] for folder in folders]
    return pd.DataFrame({"key": keys, "class_name": classes, "superclass": [parts[folder][0] for folder in folders]})


def _doubtful(settings: Settings, deep: dict[str, int]) -> list[str]:
    """The fault of 16-bit pictures (largest value by path) that together use a quarter of the range or less."""
    largest = max(deep.values(), default=DARK)
    if settings.bits or largest >= DARK:
        return []
    told = f"{settings.path}/{next(iter(deep))}" + (f" and {len(deep) - 1} more" if len(deep) > 1 else "")
    return [
        f"{told}: 16-bit values that end at {largest}: read as 16 bits they would be nearly black; say how many bits "
        f"they have by options: {{bits: {max(9, largest.bit_length())}}} (of grey pictures; convert colour to 8 bits), "
        f"or bits: {DEEP}, and they stay dark"
    ]


@lru_cache(maxsize=4)
def _content(folder: str) -> Content:
    """What lies below a folder.

    Raises:
        ValueError: it holds no picture at a depth where one may be.
    """
    content = list(_walk(folder, "", ()))
    pictures = dict(sorted((path, size) for kind, path, size in content if kind == "picture"))
    if not pictures:
        raise ValueError(f"path is {folder!r}: no picture in it; expected {LAYOUTS}")
    depths = Counter(path.count("/") for path in pictures)
    usual = max((depth for depth in depths if depth in (1, 2)), key=depths.get, default=0)
    misplaced = [path for path in pictures if path.count("/") != usual]
    if not usual:
        raise ValueError(
            f"path is {folder!r}: expected {LAYOUTS}, one of the two, found {', '.join(misplaced[:SHOWN])}"
        )
    others, empty, broken = (
        sorted(path for kind, path, _ in content if kind == k) for k in ("other", "empty", "broken")
    )
    faults = [f"{path}: holds no picture; remove it or add some" for path in empty] + broken
    if misplaced:
        faults.append(f": expected {LAYOUTS}, one of the two, found {', '.join(misplaced)}")
    kept = {path: size for path, size in pictures.items() if path.count("/") == usual}
    return Content(kept, others, faults + list(_alike(path.rpartition("/")[0] for path in kept)))


def _alike(folders: Iterable[str]) -> Iterator[str]:
    """Faults of superclasses, and of classes of one superclass, whose names only their spelling tells apart."""
    children: dict[str, dict[str, None]] = {}
    for folder in dict.fromkeys(folders):
        above, _, name = folder.rpartition("/")
        children.setdefault(above, {})[name] = None
        if above:
            children.setdefault("", {})[above] = None
    for above, inside in children.items():
        yield from (f"{above or '.'}: {names.told(group)}" for group in names.alike(inside))


def _walk(folder: str, below: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, str, int]]:
    """Kind, relative path and size of what lies below a folder; opens no file.

    Kinds are "picture", "other", "empty" (a folder) and "broken", whose path is followed by what is wrong with it.

    Args:
        above: device and inode of the folders on the way, which a link must not lead back to.
    """
    try:
        about = os.stat(os.path.join(folder, below))
        entries = [entry for entry in os.scandir(os.path.join(folder, below)) if not entry.name.startswith(IGNORED)]
    except OSError as error:
        yield "broken", f"{below.rstrip('/')}: {error.strerror}; make it readable or remove it", 0
        return
    here = (*above, (about.st_dev, about.st_ino))
    if here[-1] in above:
        yield "broken", f"{below.rstrip('/')}: a link that leads back to a folder above it; remove it", 0
        return
    used = False
    for entry in entries:
        path = f"{below}{entry.name}"
        picture = os.path.splitext(path)[1].lower() in ENDINGS
        try:
            found = entry.stat()
        except OSError as error:
            used = True
            why = f"a link that leads nowhere, to {os.readlink(entry.path)}" if entry.is_symlink() else error.strerror
            yield "broken", f"{path}: {why}; remove it", 0
            continue
        if not _is_utf8(path):
            used = True
            shown = os.fsencode(path).decode("utf-8", "backslashreplace")
            yield "broken", f"{shown}: its name is not in UTF-8; rename it", 0
        elif stat.S_ISDIR(found.st_mode):
            used = True
            yield from _walk(folder, f"{path}/", here)
        elif picture:
            used = True
            yield "picture", path, found.st_size
        else:
            yield "other", path, 0
    if not used and below:
        yield "empty", below.rstrip("/"), 0


def _is_utf8(name: str) -> bool:
    """Whether a name of the file system is in UTF-8, so that it can be written down."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
