"""Danish Fungi 2020, mini: 182 species with their lineages (Picek et al., WACV 2022).

Layout: `DF20M/*.JPG` and two tables of metadata, `DF20M-train_metadata_PROD.csv` and
`DF20M-public_test_metadata_PROD.csv`, with a picture's `image_path`, `class_id`, `scientificName` and ranks per row.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from finefit.data.listings import only, read  # noqa: F401 (read is part of a reader's interface)
from finefit.datasets import Draw, Published
from finefit.jobs import readers

PUBLISHED = Published("DF20-Mini", 182, None, 32_753, 3_640, "its families; ranks from phylum to genus")
TABLES = {"train": "DF20M-train_metadata_PROD.csv", "test": "DF20M-public_test_metadata_PROD.csv"}
RANKS = ("phylum", "class", "order", "family", "genus")


@dataclass(frozen=True)
class Settings:
    """No settings."""


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs."""
    return "df20-mini", "df20-mini-metadata"


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass: the family, or another rank."""
    return "superclass", *RANKS


def index(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name`, `split`."""
    table = _metadata(root)
    return pd.DataFrame({"key": "DF20M/" + table["image_path"], "class_name": _names(table), "split": table["split"]})


def taxonomy(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per species in the order of the archive's class ids: `class_name`, `superclass` (family), lineage."""
    table = _metadata(root)
    table["class_name"] = _names(table)
    classes = table.drop_duplicates("class_id").sort_values("class_id", ignore_index=True)
    lineage = classes[list(RANKS)].fillna("unknown")
    return pd.DataFrame({"class_name": classes["class_name"], "superclass": lineage["family"], **lineage})


def stand_in(root: Path, draw: Draw) -> None:
    """Write the layout with every species, and two pictures of each in either split."""
    for split, name in TABLES.items():
        rows = [
            {"image_path": f"{split}-{number}-{k}.JPG", "class_id": number, "scientificName": f"Species {number:03d}"}
            | {rank: f"{rank} {number % 20}" for rank in RANKS}
            for number in range(PUBLISHED.classes)
            for k in (0, 1)
        ]
        pd.DataFrame(rows).to_csv(root / name, index=False)
        for row in rows:
            draw(root / "DF20M" / row["image_path"])


def _metadata(root: Path) -> pd.DataFrame:
    parts = [
        readers.table(
            only(root, f"**/{name}"), readers.UNPACKED, low_memory=False, keep_default_na=False, na_values=[""]
        ).assign(split=split)
        for split, name in TABLES.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _names(table: pd.DataFrame) -> pd.Series:
    """A class's scientific name: the first that the tables give its id, since spellings of authors differ."""
    return table.groupby("class_id")["scientificName"].transform("first")
