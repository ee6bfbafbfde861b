"""Several data sets as one, so that one base can learn from all of them: `parts` names readers and their settings.

A class keeps its name; one that two parts share is written with its part's, `tiny_imagenet/mushroom`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from finefit import datasets

PUBLISHED = None
DOMAIN = "joined sets"


@dataclass(frozen=True)
class Settings:
    """The readers that are joined, in the order of their classes, each with its own settings."""

    parts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.parts) < 2:
            raise ValueError(f"parts are {', '.join(self.parts) or 'none'}: name two readers or more")
        for name, reader, own in _parts(self):
            if reader.__name__ == __name__:
                raise ValueError(f"parts.{name}: cannot be a part; name its own parts here")
            try:
                reader.Settings(**own)
            except (TypeError, ValueError) as error:
                raise ValueError(f"parts.{name}: {error}") from None


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that its parts need."""
    return tuple(row for _, reader, own in _opened(settings) for row in reader.sources(own))


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass: the parts' own where all have them, and the part."""
    has = all("superclass" in reader.ranks(own) for _, reader, own in _opened(settings))
    return ("superclass", "part") if has else ("part",)


def pixels(settings: Settings) -> int | None:
    """Side of the smallest pictures of its parts, None where all are larger than any study asks."""
    sides = [reader.pixels(own) for _, reader, own in _opened(settings) if hasattr(reader, "pixels")]
    return min((side for side in sides if side), default=None)


def counts(settings: Settings) -> tuple[int, int, int]:
    """Classes, training pictures and test pictures of all parts, as their settings or their publishers say."""
    found = []
    for _, reader, own in _opened(settings):
        facts = reader.PUBLISHED
        found.append(reader.counts(own) if hasattr(reader, "counts") else (facts.classes, facts.train, facts.test))
    classes, train, test = (sum(column) for column in zip(*found, strict=True))
    return classes, train, test


def listing(settings: Settings) -> str:
    """Digest of the listings of those parts that no checksum identifies."""
    lines = [f"{name} {reader.listing(own)}\n" for name, reader, own in _opened(settings) if hasattr(reader, "listing")]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def identity(options: dict[str, Any]) -> dict[str, Any]:
    """The options that decide what is read: those of every part."""
    parts = options.get("parts", {})
    return options | {
        "parts": {name: own and datasets.identity(datasets.find(name), own) for name, own in parts.items()}
    }


def begun(options: dict[str, Any]) -> dict[str, Any]:
    """Options that keep to the pictures of now, in every part."""
    parts = options.get("parts", {})
    return options | {"parts": {name: own and datasets.begun(datasets.find(name), own) for name, own in parts.items()}}


def index(settings: Settings, root: Path | None) -> pd.DataFrame:
    """One row per picture: `key` (the part's name before its own), `class_name`, `split`."""
    tables, names = [], _names(settings, root)
    for name, reader, own in _opened(settings):
        table = reader.index(own, root)
        shown = dict(zip(reader.taxonomy(own, root)["class_name"], names[name], strict=True))
        tables.append(table.assign(key=f"{name}/" + table["key"], class_name=table["class_name"].map(shown)))
    return pd.concat(tables, ignore_index=True)


def taxonomy(settings: Settings, root: Path | None) -> pd.DataFrame:
    """One row per class, part by part: `class_name`, `superclass` where all parts have it, `part`."""
    tables = []
    for name, names in _names(settings, root).items():
        table = pd.DataFrame({"class_name": names, "part": name})
        if "superclass" in ranks(settings):
            table["superclass"] = _names(settings, root, "superclass")[name]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)[["class_name", *ranks(settings)]]


def read(rows: pd.DataFrame, resolution: int, settings: Settings, root: Path | None) -> np.ndarray:
    """Pictures of index rows, each by its part's reader: uint8 `[n, resolution, resolution, 3]`."""
    pictures = np.empty((len(rows), resolution, resolution, 3), np.uint8)
    part_of = rows["key"].str.split("/", n=1).str[0].to_numpy()
    for name, reader, own in _opened(settings):
        here = np.flatnonzero(part_of == name)
        if len(here):
            part = rows.iloc[here]
            keys, names = (part[column].str.removeprefix(f"{name}/") for column in ("key", "class_name"))
            pictures[here] = reader.read(part.assign(key=keys, class_name=names), resolution, own, root)
    return pictures


def files(rows: pd.DataFrame, settings: Settings, root: Path | None) -> list[Path | None]:
    """Files of index rows' pictures; None for those of a part that draws its own."""
    roots = {
        name: reader.folder(root) if hasattr(reader, "folder") else root
        for name, reader, own in _opened(settings)
        if root and reader.sources(own)
    }
    parts = (key.partition("/") for key in rows["key"])
    return [roots[name] / own if name in roots else None for name, _, own in parts]


def _parts(settings: Settings) -> list[tuple[str, ModuleType, dict[str, Any]]]:
    """Name, reader and given settings of every part."""
    return [(name, datasets.find(name), own or {}) for name, own in settings.parts.items()]


def _opened(settings: Settings) -> list[tuple[str, ModuleType, Any]]:
    """Name, reader and settings of every part."""
    return [(name, reader, reader.Settings(**own)) for name, reader, own in _parts(settings)]


def _names(settings: Settings, root: Path | None, rank: str = "class_name") -> dict[str, list[str]]:
    """Names of every part's classes, or of a rank of theirs, in class order; what two parts share bears the part's."""
    own = {name: reader.taxonomy(its, root)[rank].tolist() for name, reader, its in _opened(settings)}
    shared = Counter(word for words in own.values() for word in set(words))
    return {name: [f"{name}/{word}" if shared[word] > 1 else word for word in words] for name, words in own.items()}
