"""Oxford Flowers-102: 102 kinds of flowers (Nilsback and Zisserman, 2008).

Layout: `jpg/image_00001.jpg`, `imagelabels.mat` (a label per picture, from 1) and `setid.mat` (the pictures' numbers of
each split). The archive gives classes no names. `valid` is joined to `trnid`, since nothing here is tuned on it. It has
no superclasses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from finefit.data.listings import matlab, only, read  # noqa: F401 (read is part of a reader's interface)
from finefit.datasets import Draw, Published

PUBLISHED = Published("Oxford Flowers-102", 102, None, 2_040, 6_149, "derived")
SPLITS = {"trnid": "train", "valid": "train", "tstid": "test"}


@dataclass(frozen=True)
class Settings:
    """No settings."""


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs."""
    return "flowers102", "flowers102-labels", "flowers102-splits"


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass: nothing."""
    return ()


def index(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name` ("flower 001"), `split`."""
    names, splits = _names(root), matlab(only(root, "setid.mat"))
    rows = [
        (f"jpg/image_{number:05d}.jpg", names[number - 1], split)
        for key, split in SPLITS.items()
        for number in np.sort(np.atleast_1d(splits[key]))
    ]
    return pd.DataFrame(rows, columns=["key", "class_name", "split"])


def taxonomy(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per class in the order of the labels: `class_name`."""
    return pd.DataFrame({"class_name": sorted(set(_names(root)))})


def stand_in(root: Path, draw: Draw) -> None:
    """Write the layout with every kind, and two pictures of each in either split."""
    from scipy.io import savemat

    classes = PUBLISHED.classes
    numbers = np.arange(4 * classes).reshape(4, classes) + 1  # each split's picture of every class
    for number in range(1, 4 * classes + 1):
        draw(root / f"jpg/image_{number:05d}.jpg")
    savemat(root / "imagelabels.mat", {"labels": np.tile(np.arange(classes) + 1, 4)})
    savemat(root / "setid.mat", {"trnid": numbers[0], "valid": numbers[1], "tstid": numbers[2:].ravel()})


def _names(root: Path) -> list[str]:
    """The class name of every picture, in the order of their numbers."""
    return [f"flower {label:03d}" for label in np.atleast_1d(matlab(only(root, "imagelabels.mat"))["labels"])]
