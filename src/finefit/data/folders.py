"""What lies below a folder of photographs: pictures by class and split, what else, and what of it is wrong.

Layouts are `superclass/class/picture.jpg` and `class/picture.jpg`; either may lie below folders that are named as
splits are. Paths and contents are looked at, and no picture is opened.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from finefit.data import contents, names
from finefit.data.pictures import ENDINGS

IGNORED = (".", "__MACOSX", "@eaDir")  # how names of no content begin: hidden files, and what Macs and stores add
LAYOUTS = "superclass/class/picture.jpg or class/picture.jpg"
SPLITS = {  # what folders of a split are called, as in the layouts of ImageFolder and of detectors
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "eval": "test",
}  # fmt: skip
UNREAD = {".heic", ".heif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".psd", ".svg"}
SHOWN = 20

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


@lru_cache(maxsize=4)
def content(folder: str, listing: str | None = None) -> Content:
    """What lies below a folder, or lay there by a listing that was kept.

    Raises:
        ValueError: it holds no picture at a depth where one may be.
    """
    if listing:
        return Content(**contents.kept(listing))
    found = list(walk(folder, "", ()))
    refused: list[str] = []
    about = dict(sorted((path, what) for kind, path, what in found if kind == "picture"))
    pictures = contents.digests(folder, about, lambda path, why: refused.append(f"{path}: {why}; make it readable"))
    others, empty, broken = (sorted(path for kind, path, _ in found if kind == k) for k in ("other", "empty", "broken"))
    if not pictures:
        left_out = f" ({by_ending(others)})" if others else ""
        raise ValueError("\n".join([f"path is {folder!r}: no picture in it{left_out}; expected {LAYOUTS}", *refused]))
    splits, faults = splits_of(pictures)
    depths = Counter(path.count("/") for path in pictures)
    usual = max((depth for depth in depths if depth - bool(splits) in (1, 2)), key=depths.get, default=0)
    misplaced = [path for path in pictures if path.count("/") != usual]
    if not usual:
        told = f"path is {folder!r}: expected {LAYOUTS}, one of the two, found {', '.join(misplaced[:SHOWN])}"
        raise ValueError("\n".join([told, *(f"{folder}/{fault}" for fault in faults)]))
    faults += [without_pictures(path, others) for path in empty] + broken + refused
    if misplaced:
        faults.append(f": expected {LAYOUTS}, one of the two, found {', '.join(misplaced)}")
    kept = {path: held for path, held in pictures.items() if path.count("/") == usual}
    classes = [path.rpartition("/")[0] for path in kept]
    return Content(kept, others, faults + untrained(classes, splits) + list(alike(classes)), splits)


def splits_of(pictures: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """What the outermost folders are where they are splits, "train" or "test" by name; and faults of such folders.

    Pictures for validation test where none do else, and train with the others where some do.
    """
    inner = {path.rpartition("/")[0].rpartition("/")[2] for path in pictures}
    if are_splits(inner) and all(name.casefold() in SPLITS for name in inner):
        return {}, [f": {', '.join(sorted(inner))} are splits and hold no classes; expected train/class/picture.jpg"]
    outer = dict.fromkeys(path.partition("/")[0] for path in pictures)
    kinds = {name: SPLITS[name.casefold()] for name in outer if name.casefold() in SPLITS}
    if not are_splits(kinds):
        return {}, []
    if other := [name for name in outer if name not in kinds]:
        return {}, [f": {', '.join(kinds)} are splits, but beside them lie {', '.join(other[:SHOWN])}; move these away"]
    tests = "test" if "test" in kinds.values() else "val"
    return {name: "test" if kind == tests else "train" for name, kind in kinds.items()}, []


def are_splits(folders: Iterable[str]) -> bool:
    """Whether some folders are named as a split for training and another one."""
    kinds = {SPLITS.get(name.casefold()) for name in folders} - {None}
    return "train" in kinds and len(kinds) > 1


def untrained(folders: Iterable[str], splits: dict[str, str]) -> list[str]:
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


def without_pictures(folder: str, others: list[str]) -> str:
    """The fault of a folder without a picture that can be read."""
    inside = [path for path in others if path.startswith(f"{folder}/")]
    if not inside:
        return f"{folder}: holds no picture; remove it or add some"
    return f"{folder}: holds no picture that is read ({by_ending(inside)}); convert them to JPEG or PNG, or remove it"


def alike(folders: Iterable[str]) -> Iterator[str]:
    """Faults of superclasses, and of classes of one superclass, whose names only their spelling tells apart."""
    children: dict[str, dict[str, None]] = {}
    for folder in dict.fromkeys(folders):
        above, _, name = folder.rpartition("/")
        children.setdefault(above, {})[name] = None
        if above:
            children.setdefault("", {})[above] = None
    for above, inside in children.items():
        yield from (f"{above or '.'}: {names.told(group)}" for group in names.alike(inside))


def walk(folder: str, below: str, above: tuple[tuple[int, int], ...]) -> Iterator[Found]:
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
        if not is_utf8(path):
            used = True
            shown = os.fsencode(path).decode("utf-8", "backslashreplace")
            yield "broken", f"{shown}: its name is not in UTF-8; rename it", None
        elif stat.S_ISDIR(found.st_mode):
            used = True
            yield from walk(folder, f"{path}/", here)
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


def is_utf8(name: str) -> bool:
    """Whether a name of the file system is in UTF-8, so that it can be written down."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


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
