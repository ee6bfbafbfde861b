"""Data sets: one file each, found by its name.

A data set's module defines `Settings` (a frozen dataclass) and

- `PUBLISHED`: what its publishers say of it (`Published`), None where there is no publisher;
- `sources(settings)`: the rows of data/sources.csv that it needs;
- `ranks(settings)`: the columns of its taxonomy that may serve as superclass, `superclass` first; empty without any;
- `index(settings, root)`: a table with a row per picture: `key`, `class_name`, `split`;
- `taxonomy(settings, root)`: a table with a row per class, in class-id order: `class_name` and its ranks;
- `read(rows, resolution, settings, root)`: those pictures, uint8 `[n, resolution, resolution, 3]`.

It may define

- `DOMAIN`: what its pictures are, where its publishers' title does not say it, or there is none;
- `ARCHIVES`: what `Settings.archive` may name, its default first, where it reads more than one archive;
- `pixels(settings)`: the side of its pictures where they are small;
- `SUPERCLASSES`: the order in which published checkpoints number them;
- `folder(root)`: where keys start, if not at `root`; or `files(rows, settings, root)`, where the pictures of rows lie,
  None for those that are drawn;
- `stand_in(root, draw)`: write the layout of its unpacked sources with every class and few drawn pictures, for a
  rehearsal (`draw(path)` makes a picture file); one without it is rehearsed with its own pictures;
- `listing(settings)`: a digest of its pictures where no checksum identifies them; then also `identity(options)`: those
  of the options that it does not stand for, and `begun(options)`: options that keep to the pictures of now;
- `copies(settings)`: the keys of pictures of one content, by that; `distinct(settings)`: how many classes do not hold
  the very pictures of another; `notes(settings)`: what was understood and left out without asking;
- `counts(settings)`: classes, training and test pictures where they are known before the index, and then `taxonomy`
  takes None as root; `faults(settings)`: what is then known to be wrong.

`root` is the folder with the content of its sources, None for a data set that needs none.

May import: jobs, data, procedural.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from finefit.jobs import modules

Draw = Callable[[Path], None]  # makes a picture file at a path, and its folder


@dataclass(frozen=True)
class Published:
    """What a data set's publishers say of it; `superclasses` None where they give none (or no number)."""

    title: str
    classes: int
    superclasses: int | None
    train: int
    test: int
    hierarchy: str  # where superclasses come from


def published(reader: ModuleType, settings: Any) -> Published | None:
    """What a data set's publishers say of it; where its settings ask for a part, of that part."""
    facts = reader.PUBLISHED
    if facts is None or not hasattr(reader, "counts"):
        return facts
    classes, train, test = reader.counts(settings)
    return replace(facts, classes=classes, train=train, test=test)


def identity(reader: ModuleType, options: dict[str, Any]) -> dict[str, Any]:
    """What of the options of a reader decides its content: all of them, unless it says which."""
    return reader.identity(options) if hasattr(reader, "identity") else options


def begun(reader: ModuleType, options: dict[str, Any]) -> dict[str, Any]:
    """Options of a reader that keep to the pictures of now, for a study that begins."""
    return reader.begun(options) if hasattr(reader, "begun") else options


def names() -> list[str]:
    """Names of all data sets, in alphabetical order."""
    return modules.names(__name__)


def find(name: str) -> ModuleType:
    """The module of a data set; ValueError if there is none of that name."""
    return modules.find(__name__, name, "data set")
