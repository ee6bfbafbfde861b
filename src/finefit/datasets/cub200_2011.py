"""Caltech-UCSD Birds 200 (2011): 200 species of North American birds (Wah et al., 2011).

Layout: `CUB_200_2011/images/001.Black_footed_Albatross/*.jpg` and list files keyed by a picture's number. The archive
has no superclasses; families and orders come from data/taxonomies/cub-families.csv, by the last word of a species' name
("albatross"), or by its whole name where that word misleads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from finefit.data.listings import only, read, words  # noqa: F401 (read is part of a reader's interface)
from finefit.datasets import Draw, Published
from finefit.jobs import readers

PUBLISHED = Published("CUB-200-2011", 200, None, 5_994, 5_794, "families (ours: data/taxonomies); order")
FAMILIES = Path("data/taxonomies/cub-families.csv")


@dataclass(frozen=True)
class Settings:
    """No settings."""


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs."""
    return ("cub200-2011",)


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass: the family, or the order."""
    return "superclass", "order"


def index(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name`, `split`."""
    folder = only(root, "CUB_200_2011")
    table = words(folder / "images.txt", ["number", "path"])
    table = table.merge(words(folder / "image_class_labels.txt", ["number", "class"]), on="number")
    table = table.merge(words(folder / "train_test_split.txt", ["number", "trains"]), on="number")
    table["class_name"] = table["class"].map(_names(folder))
    table["split"] = table["trains"].map({"1": "train", "0": "test"})
    table["key"] = "CUB_200_2011/images/" + table["path"]
    return table[["key", "class_name", "split"]]


def taxonomy(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per species in the archive's order: `class_name`, `superclass` (family), `order`."""
    families = readers.table(FAMILIES, readers.SHIPPED, keep_default_na=False).set_index("name")
    names = list(_names(only(root, "CUB_200_2011")).values())
    known = [name if name in families.index else name.split()[-1] for name in names]
    missing = sorted(set(known) - set(families.index))
    if missing:
        raise ValueError(f"{FAMILIES}: no family for {', '.join(missing)}; add a row for each")
    found = families.loc[known]
    return pd.DataFrame(
        {"class_name": names, "superclass": found["family"].to_numpy(), "order": found["order"].to_numpy()}
    )


def stand_in(root: Path, draw: Draw) -> None:
    """Write the layout with every species, and two pictures of each in either split."""
    folder, known = root / "CUB_200_2011", readers.table(FAMILIES, readers.SHIPPED, keep_default_na=False)["name"]
    last = [name for name in known if " " not in name]
    names = [f"{n + 1:03d}.Kind_{n + 1}_{last[n % len(last)]}" for n in range(PUBLISHED.classes)]
    rows = [(names[place // 4], place // 4 + 1, place % 4) for place in range(4 * len(names))]
    lists = {
        "classes": [f"{number} {name}" for number, name in enumerate(names, 1)],
        "images": [f"{number} {name}/{k}.jpg" for number, (name, _, k) in enumerate(rows, 1)],
        "image_class_labels": [f"{number} {label}" for number, (_, label, _) in enumerate(rows, 1)],
        "train_test_split": [f"{number} {int(k < 2)}" for number, (_, _, k) in enumerate(rows, 1)],
    }
    for name, _, k in rows:
        draw(folder / f"images/{name}/{k}.jpg")
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _names(folder: Path) -> dict[str, str]:
    """Species' names by class number: "1" is "Black footed Albatross"."""
    classes = words(folder / "classes.txt", ["class", "name"])
    names = classes["name"].str.split(".").str[-1].str.replace("_", " ")
    return dict(zip(classes["class"], names, strict=True))
