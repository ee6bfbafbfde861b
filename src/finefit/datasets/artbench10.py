"""ArtBench-10: paintings of ten styles, 5,000 training and 1,000 test pictures each (Liao et al., 2022).

Layout: `artbench-10-imagefolder-split/{train,test}/<style>/*.jpg`, 256 pixels. It has no superclasses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from finefit.data.listings import only, read  # noqa: F401 (read is part of a reader's interface)
from finefit.datasets import Draw, Published

PUBLISHED = Published("ArtBench-10", 10, None, 50_000, 10_000, "derived")


@dataclass(frozen=True)
class Settings:
    """No settings."""


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs."""
    return ("artbench10",)


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass: nothing."""
    return ()


def pixels(settings: Settings) -> int:
    """Side of its pictures."""
    return 256


def index(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name`, `split`."""
    rows = [
        (path.relative_to(root).as_posix(), path.parent.name, split)
        for split in ("train", "test")
        for path in sorted(only(root, f"artbench-10-imagefolder-split/{split}").glob("*/*.jpg"))
    ]
    return pd.DataFrame(rows, columns=["key", "class_name", "split"])


def taxonomy(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per style in alphabetical order: `class_name`."""
    styles = only(root, "artbench-10-imagefolder-split/train").iterdir()
    return pd.DataFrame({"class_name": sorted(path.name for path in styles if path.is_dir())})


def stand_in(root: Path, draw: Draw) -> None:
    """Write the layout with every style, and two pictures of each in either split."""
    for split in ("train", "test"):
        for number in range(2 * PUBLISHED.classes):
            draw(root / f"artbench-10-imagefolder-split/{split}/style_{number // 2}/{number % 2}.jpg")
