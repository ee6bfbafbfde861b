"""iNaturalist 2021, mini training set: 10,000 species in 11 superclasses, 50 training and 10 validation pictures each.

Layout: `train_mini/<image_dir_name>/*.jpg`, `val/...`, and beside them `train_mini.json` and `val.json` in the form of
COCO, whose categories carry the whole lineage. A class's id is its category's id, which is also the order of the
folders; the published checkpoints rely on it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from finefit.data.listings import only, read  # noqa: F401 (read is part of a reader's interface)
from finefit.datasets import Draw, Published
from finefit.jobs import readers

PUBLISHED = Published("iNaturalist 2021 mini", 10_000, 11, 500_000, 100_000, "its supercategory; ranks to genus")
RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")
SPLITS = {"train_mini": "train", "val": "test"}
SUPERCLASSES = (
    "Plants", "Insects", "Birds", "Fungi", "Reptiles", "Mammals",
    "Ray-finned Fishes", "Amphibians", "Mollusks", "Arachnids", "Animalia",
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """No settings."""


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs."""
    return "inat2021-mini-train", "inat2021-mini-train-json", "inat2021-val", "inat2021-val-json"


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass."""
    return "superclass", *RANKS


def index(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name`, `split`."""
    parts = []
    for name, split in SPLITS.items():
        content = _json(root, name)
        names = {category["id"]: category["name"] for category in content["categories"]}
        files = {image["id"]: image["file_name"] for image in content["images"]}
        rows = [(files[one["image_id"]], names[one["category_id"]], split) for one in content["annotations"]]
        parts.append(pd.DataFrame(rows, columns=["key", "class_name", "split"]).sort_values("key"))
    return pd.concat(parts, ignore_index=True)


def taxonomy(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per species in the order of category ids: `class_name`, `superclass`, lineage, `common_name`."""
    table = pd.DataFrame(_json(root, "val")["categories"]).sort_values("id", ignore_index=True)
    table = table.rename(columns={"name": "class_name", "supercategory": "superclass"})
    return table[["class_name", "superclass", *RANKS, "common_name"]]


def stand_in(root: Path, draw: Draw) -> None:
    """Write the layout with every species, and two pictures of each in either split."""
    categories = [
        {"id": number, "name": f"Species {number:05d}", "supercategory": SUPERCLASSES[number % len(SUPERCLASSES)]}
        | {rank: f"{rank} {number % 20}" for rank in RANKS}
        | {"common_name": "", "image_dir_name": f"{number:05d}"}
        for number in range(PUBLISHED.classes)
    ]
    for split in SPLITS:
        files = [(c["id"], f"{split}/{c['image_dir_name']}/{k}.jpg") for c in categories for k in (0, 1)]
        content = {
            "categories": categories,
            "images": [{"id": place, "file_name": name} for place, (_, name) in enumerate(files)],
            "annotations": [{"image_id": place, "category_id": number} for place, (number, _) in enumerate(files)],
        }
        for _, name in files:
            draw(root / name)
        (root / f"{split}.json").write_text(json.dumps(content), encoding="utf-8")


def _json(root: Path, name: str) -> dict:
    return readers.content(only(root, f"{name}.json"), readers.UNPACKED)
