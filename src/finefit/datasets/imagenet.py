"""ImageNet (ILSVRC 2012): 1,000 WordNet synsets, 1,281,167 training and 50,000 validation pictures.

Layout: `n01440764/*.JPEG` (each class's own archive within the training archive), `ILSVRC2012_val_*.JPEG`, and
`ILSVRC2012_devkit_t12/data` with `meta.mat` (synsets and their children) and the validation pictures' numbers. A
class's id is its place among the sorted WordNet ids, as published checkpoints number them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from finefit.data.listings import matlab, only, read  # noqa: F401 (read is part of a reader's interface)
from finefit.datasets import Draw, Published
from finefit.jobs import borders, readers

PUBLISHED = Published("ImageNet (ILSVRC 2012)", 1000, None, 1_281_167, 50_000, "WordNet: the synset above, or a depth")
DEPTHS = tuple(f"depth_{depth}" for depth in range(1, 9))  # 0 is "entity", above everything


@dataclass(frozen=True)
class Settings:
    """No settings."""


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs."""
    return "imagenet-train", "imagenet-val", "imagenet-devkit"


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass: the synset above a class, or its ancestor so far below the root."""
    return "superclass", *DEPTHS


def index(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name`, `split`."""
    synsets = _synsets(root)
    leaves = synsets[synsets["num_children"] == 0]
    rows = [
        (f"{wnid}/{path.name}", name, "train")
        for wnid, name in sorted(zip(leaves["wnid"], leaves["class_name"], strict=True))
        for path in sorted((root / wnid).glob("*.JPEG"))
    ]
    truth = only(root, "**/ILSVRC2012_validation_ground_truth.txt")
    with borders.reading(truth, readers.DAMAGED, readers.UNPACKED):
        numbers = np.loadtxt(truth, dtype=int, ndmin=1)
    validation = sorted(path.name for path in root.glob("ILSVRC2012_val_*.JPEG"))
    if len(validation) != len(numbers):
        raise ValueError(f"{root}: {len(validation)} validation pictures, but {len(numbers)} labels in the devkit")
    rows += [(key, synsets.loc[number, "class_name"], "test") for key, number in zip(validation, numbers, strict=True)]
    return pd.DataFrame(rows, columns=["key", "class_name", "split"])


def taxonomy(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per class in the order of WordNet ids: `class_name`, `superclass`, `depth_1` to `depth_8`, `wnid`."""
    synsets = _synsets(root)
    above = {child: number for number, row in synsets.iterrows() for child in row["children"]}
    rows = []
    for number, leaf in synsets[synsets["num_children"] == 0].iterrows():
        lineage = [number]
        while lineage[0] in above:
            lineage.insert(0, above[lineage[0]])
        titles = synsets.loc[lineage, "class_name"].tolist()
        depths = [titles[min(depth, max(len(titles) - 2, 0))] for depth in range(1, len(DEPTHS) + 1)]
        rows.append([leaf["class_name"], titles[max(len(titles) - 2, 0)], *depths, leaf["wnid"]])
    table = pd.DataFrame(rows, columns=["class_name", "superclass", *DEPTHS, "wnid"])
    return table.sort_values("wnid", ignore_index=True)


def stand_in(root: Path, draw: Draw) -> None:
    """Write the layout with every synset below ten others, and two pictures of each in either split."""
    from scipy.io import savemat

    classes, groups = PUBLISHED.classes, 10
    leaves = np.arange(1, classes + 1)
    children = [*(np.array([]) for _ in leaves), *(leaves[leaves % groups == g] for g in range(groups))]
    children.append(np.arange(classes + 1, classes + groups + 1))
    fields = ("ILSVRC2012_ID", "WNID", "words", "num_children", "children")
    synsets = np.zeros(len(children), [(name, object) for name in fields])
    for place, below in enumerate(children):
        synsets[place] = (place + 1, f"n{place + 1:08d}", f"synset {place + 1}", len(below), below)
    data = root / "ILSVRC2012_devkit_t12/data"
    data.mkdir(parents=True)
    savemat(data / "meta.mat", {"synsets": synsets})
    truth = "\n".join(str(number) for number in np.repeat(leaves, 2))
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text(truth + "\n", encoding="utf-8")
    for number in range(2 * classes):
        wnid = f"n{number // 2 + 1:08d}"
        draw(root / wnid / f"{wnid}_{number % 2}.JPEG")
        draw(root / f"ILSVRC2012_val_{number + 1:08d}.JPEG")


@lru_cache(maxsize=1)
def _synsets(root: Path) -> pd.DataFrame:
    """All synsets by number: `wnid`, `class_name` (first word, with the id where two share it), children."""
    content = np.atleast_1d(matlab(only(root, "**/meta.mat"))["synsets"])
    rows = [
        (int(s["ILSVRC2012_ID"]), str(s["WNID"]), str(s["words"]).split(",")[0], int(s["num_children"]),
         [int(child) for child in np.atleast_1d(s["children"])][: int(s["num_children"])])
        for s in content
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["number", "wnid", "class_name", "num_children", "children"])
    shared = table["class_name"].duplicated(keep=False)
    table["class_name"] = table["class_name"].where(~shared, table["class_name"] + " " + table["wnid"])
    return table.set_index("number")
