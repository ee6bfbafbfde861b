"""Stanford Cars: 196 models of cars from 49 makes (Krause et al., 2013).

Layout: `cars_train/00001.jpg`, `cars_test/...`, `devkit/cars_meta.mat` (class names), `devkit/cars_train_annos.mat`
and `cars_test_annos_withlabels.mat`. A make is the first word of a class's name, or the first two where it has two.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from finefit.data.listings import matlab, only, read  # noqa: F401 (read is part of a reader's interface)
from finefit.datasets import Draw, Published

PUBLISHED = Published("Stanford Cars", 196, 49, 8_144, 8_041, "makes, from its class names; years")
TABLES = {"train": ("cars_train", "cars_train_annos"), "test": ("cars_test", "cars_test_annos_withlabels")}
TWO_WORDS = ("AM General", "Aston Martin", "Land Rover")


@dataclass(frozen=True)
class Settings:
    """No settings."""


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs."""
    return tuple(f"stanford-cars-{part}" for part in ("train", "test", "test-labels", "devkit"))


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass: the make, or the year."""
    return "superclass", "year"


def index(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name`, `split`."""
    names = _names(root)
    rows = [
        (f"{folder}/{one['fname']}", names[int(one["class"]) - 1], split)
        for split, (folder, table) in TABLES.items()
        for one in np.atleast_1d(matlab(only(root, f"**/{table}.mat"))["annotations"])
    ]
    return pd.DataFrame(rows, columns=["key", "class_name", "split"])


def taxonomy(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per model in the archive's order: `class_name`, `superclass` (make), `year`."""
    names = _names(root)
    makes = [next((two for two in TWO_WORDS if name.startswith(two)), name.split()[0]) for name in names]
    return pd.DataFrame({"class_name": names, "superclass": makes, "year": [name.split()[-1] for name in names]})


def stand_in(root: Path, draw: Draw) -> None:
    """Write the layout with every model, and two pictures of each in either split."""
    from scipy.io import savemat

    names = [f"Make{number % PUBLISHED.superclasses} Model {number} 2012" for number in range(PUBLISHED.classes)]
    (root / "devkit").mkdir()
    savemat(root / "devkit/cars_meta.mat", {"class_names": np.array(names, object)})
    for folder, table in TABLES.values():
        rows = np.zeros(2 * len(names), [("class", object), ("fname", object)])
        for number in range(len(rows)):
            rows[number] = (number // 2 + 1, f"{number + 1:05d}.jpg")
            draw(root / folder / rows[number]["fname"])
        savemat(root / f"{table}.mat", {"annotations": rows})


def _names(root: Path) -> list[str]:
    """Class names by number; a slash ("Ram C/V") would be read as a path."""
    names = np.atleast_1d(matlab(only(root, "devkit/cars_meta.mat"))["class_names"])
    return [str(name).replace("/", "-") for name in names]
