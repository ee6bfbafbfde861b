"""Your own photographs in folders: `superclass/class/picture.jpg`, or `class/picture.jpg`, below one folder.

Either may lie below folders that are named as splits are, `train/class/picture.jpg` and `val/class/picture.jpg`. A
folder of your own has no checksum in data/sources.csv; it enters the study by its pictures' paths and contents, so
adding, removing or overwriting one makes new artifacts, and what was made before stays. What the listing shows to be
wrong is told when the study is read; every picture is opened once, when the index is made; each time all at once. A
picture that is read later has to be the one that was listed.
"""

from __future__ import annotations

import os
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finefit.data import contents, names
from finefit.data.pictures import DEEP, ENDINGS, look, read_files
from finefit.jobs.progress import progress

PUBLISHED = None
DOMAIN = "own photographs"
IGNORED = (".", "__MACOSX", "@eaDir")  # how names of no content begin: hidden files, and what Macs and stores add
LAYOUTS = "superclass/class/picture.jpg or class/picture.jpg"
SPLITS = {  # what folders of a split are called, as in the layouts of ImageFolder and of detectors
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "eval": "test",
}  # fmt: skip
UNREAD = {".heic", ".heif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".psd", ".svg"}
LEAST_BITS = 8
DARK = 2 ** (DEEP - 2)  # largest value of 16-bit pictures below which their range is asked for
SHOWN = 20
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


Found = tuple[str, str, os.stat_result | None]  # kind, path and state


Found = tuple[str, str, os.stat_result | None]  # kind, path and state


Found = tuple[str, str, os.stat_result | None]  # kind, path and state


Found = tuple[str, str, os.stat_result | None]  # kind, path and state


Found = tuple[str, str, os.stat_result | None]  # kind, path and state


Found = tuple[str, str, os.stat_result | None]  # kind, path and state


Found = tuple[str, str, os.stat_result | None]  # kind, path and state


Found = tuple[str, str, os.stat_result | None]  # kind, path and state


@dataclass(frozen=True)
class Content:
    """What lies below a folder, each as paths relative to it, sorted; hidden files are not looked at."""

    pictures: dict[str, str]  # with the sha256 of their contents
    others: list[str]
    faults: list[str]  # what is wrong, each with its path
    splits: dict[str, str]  # "train" or "test" by outermost folder, where those are splits

    @cached_property
    def classes(self) -> dict[str, list[str]]:
        """Pictures by the folder of their class, which is below that of their split where there are such."""
        found: dict[str, list[str]] = {}
        for path in self.pictures:
            folder = path.rpartition("/")[0]
            found.setdefault(folder.partition("/")[2] if self.splits else folder, []).append(path)
        return dict(sorted(found.items())) if self.splits else found


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
        found.append(f"{settings.path}: no pictures that are read, and left out: {by_ending(content.others)}")
    return found


def by_ending(paths: Iterable[str]) -> str:
    """How many files there are of each ending, with the first; of pictures that nothing here reads, what to do."""
    endings: dict[str, list[str]] = {}
    for path in paths:
        endings.setdefault(os.path.splitext(path)[1].lower(), []).append(path)
    return ", ".join(
        f"{ending or 'without an ending'}: {len(found)} file{'s' * (len(found) > 1)}, as {found[0]}"
        + ("; convert them to JPEG or PNG" if ending in UNREAD else "")
        for ending, found in sorted(endings.items())
    )


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
    return _content(settings.path, settings.listing)


@lru_cache(maxsize=4)
def _content(folder: str, listing: str | None = None) -> Content:
    """What lies below a folder, or lay there by a listing that was kept.

    Raises:
        ValueError: it holds no picture at a depth where one may be.
    """
    if listing:
        return Content(**contents.kept(listing))
    found = list(_walk(folder, "", ()))
    refused: list[str] = []
    about = dict(sorted((path, what) for kind, path, what in found if kind == "picture"))
    pictures = contents.digests(folder, about, lambda path, why: refused.append(f"{path}: {why}; make it readable"))
    others, empty, broken = (sorted(path for kind, path, _ in found if kind == k) for k in ("other", "empty", "broken"))
    if not pictures:
        left_out = f" ({by_ending(others)})" if others else ""
        raise ValueError("\n".join([f"path is {folder!r}: no picture in it{left_out}; expected {LAYOUTS}", *refused]))
    splits, faults = _splits(pictures)
    depths = Counter(path.count("/") for path in pictures)
    usual = max((depth for depth in depths if depth - bool(splits) in (1, 2)), key=depths.get, default=0)
    misplaced = [path for path in pictures if path.count("/") != usual]
    if not usual:
        told = f"path is {folder!r}: expected {LAYOUTS}, one of the two, found {', '.join(misplaced[:SHOWN])}"
        raise ValueError("\n".join([told, *(f"{folder}/{fault}" for fault in faults)]))
    faults += [_empty(path, others) for path in empty] + broken + refused
    if misplaced:
        faults.append(f": expected {LAYOUTS}, one of the two, found {', '.join(misplaced)}")
    kept = {path: held for path, held in pictures.items() if path.count("/") == usual}
    classes = [path.rpartition("/")[0] for path in kept]
    return Content(kept, others, faults + _untrained(classes, splits) + list(_alike(classes)), splits)


def _splits(pictures: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """What the outermost folders are where they are splits, "train" or "test" by name; and faults of such folders.

    Pictures for validation test where none do else, and train with the others where some do.
    """
    inner = {path.rpartition("/")[0].rpartition("/")[2] for path in pictures}
    if _are_splits(inner) and all(name.casefold() in SPLITS for name in inner):
        return {}, [f": {', '.join(sorted(inner))} are splits and hold no classes; expected train/class/picture.jpg"]
    outer = dict.fromkeys(path.partition("/")[0] for path in pictures)
    kinds = {name: SPLITS[name.casefold()] for name in outer if name.casefold() in SPLITS}
    if not _are_splits(kinds):
        return {}, []
    if other := [name for name in outer if name not in kinds]:
        return {}, [f": {', '.join(kinds)} are splits, but beside them lie {', '.join(other[:SHOWN])}; move these away"]
    tests = "test" if "test" in kinds.values() else "val"
    return {name: "test" if kind == tests else "train" for name, kind in kinds.items()}, []


def _are_splits(folders: Iterable[str]) -> bool:
    """Whether some folders are named as a split for training and another one."""
    kinds = {SPLITS.get(name.casefold()) for name in folders} - {None}
    return "train" in kinds and len(kinds) > 1


def _untrained(folders: Iterable[str], splits: dict[str, str]) -> list[str]:
    """Faults of classes that lie in a split for testing and in none for training."""
    by_split: dict[str, dict[str, str]] = {"train": {}, "test": {}}
    for folder in folders if splits else ():
        outer, _, below = folder.partition("/")
        by_split[splits[outer]].setdefault(below, folder)
    return [
        f"{folder}: no pictures of this class are for training; add some, or remove it"
        for below, folder in by_split["test"].items()
        if below not in by_split["train"]
    ]


def _empty(folder: str, others: list[str]) -> str:
    """The fault of a folder without a picture that can be read."""
    inside = [path for path in others if path.startswith(f"{folder}/")]
    if not inside:
        return f"{folder}: holds no picture; remove it or add some"
    return f"{folder}: holds no picture that is read ({by_ending(inside)}); convert them to JPEG or PNG, or remove it"


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


def _walk(folder: str, below: str, above: tuple[tuple[int, int], ...]) -> Iterator[Found]:
    """Kind, relative path and state of what lies below a folder; opens no file.

    Kinds are "picture", "other", "empty" (a folder) and "broken", whose path is followed by what is wrong with it.

    Args:
        above: device and inode of the folders on the way, which a link must not lead back to.
    """
    try:
        about = os.stat(os.path.join(folder, below))
        entries = [entry for entry in os.scandir(os.path.join(folder, below)) if not entry.name.startswith(IGNORED)]
    except OSError as error:
        yield "broken", f"{below.rstrip('/')}: {error.strerror}; make it readable or remove it", None
        return
    here = (*above, (about.st_dev, about.st_ino))
    if here[-1] in above:
        yield "broken", f"{below.rstrip('/')}: a link that leads back to a folder above it; remove it", None
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
            yield "broken", f"{path}: {why}; remove it", None
            continue
        if not _is_utf8(path):
            used = True
            shown = os.fsencode(path).decode("utf-8", "backslashreplace")
            yield "broken", f"{shown}: its name is not in UTF-8; rename it", None
        elif stat.S_ISDIR(found.st_mode):
            used = True
            yield from _walk(folder, f"{path}/", here)
        elif picture and not stat.S_ISREG(found.st_mode):
            used = True
            yield "broken", f"{path}: is no file; remove it", None
        elif picture:
            used = True
            yield "picture", path, found
        else:
            yield "other", path, None
    if not used and below:
        yield "empty", below.rstrip("/"), None


def _is_utf8(name: str) -> bool:
    """Whether a name of the file system is in UTF-8, so that it can be written down."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
