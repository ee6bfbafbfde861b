"""Tiny ImageNet (Stanford CS231n): 200 WordNet synsets of ImageNet at 64 pixels, 500 training pictures of each.

Layout: `tiny-imagenet-200` with `wnids.txt`, `words.txt`, `train/n02085620/images/*.JPEG`, `val/images/*.JPEG` and
`val/val_annotations.txt` (picture, synset and box, between tabs). Validation pictures test; the archive's own test
pictures have no published labels. A class's id is its place among the sorted WordNet ids.

The archive has no superclasses; they come from data/taxonomies/tiny-imagenet-wordnet.csv, made from WordNet 3.0 by
`python -m benchmarks.truth.wordnet`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from finefit.data.listings import only, read, words  # noqa: F401 (read is part of a reader's interface)
from finefit.datasets import Published
from finefit.jobs import readers

PUBLISHED = Published("Tiny ImageNet", 200, None, 100_000, 10_000, "WordNet (ours: data/taxonomies); a depth")
ARCHIVES = {"tiny-imagenet": 500, "tiny-imagenet-first250": 250}  # training pictures of a class
TAXONOMY = Path("data/taxonomies/tiny-imagenet-wordnet.csv")
RANKS = ("superclass", "parent", *(f"depth_{depth}" for depth in range(2, 9)))


@dataclass(frozen=True)
class Settings:
    """Which archive of data/sources.csv to read: the published one, or half of its training pictures."""

    archive: str = "tiny-imagenet"

    def __post_init__(self) -> None:
        if self.archive not in ARCHIVES:
            raise ValueError(f"archive is {self.archive!r}: use one of {', '.join(ARCHIVES)}")


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs."""
    return (settings.archive,)


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass: a group of five classes or more, the synset above, or one so far below the root."""
    return RANKS


def pixels(settings: Settings) -> int:
    """Side of its pictures."""
    return 64


def counts(settings: Settings) -> tuple[int, int, int]:
    """Classes, training pictures and test pictures that the archive holds."""
    share = ARCHIVES[settings.archive] / ARCHIVES["tiny-imagenet"]
    return PUBLISHED.classes, int(PUBLISHED.train * share), PUBLISHED.test


def index(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name`, `split`."""
    folder, names = only(root, "tiny-imagenet-200"), _names(root)
    rows = [
        (path.relative_to(root).as_posix(), name, "train")
        for wnid, name in names.items()
        for path in sorted((folder / "train" / wnid / "images").glob("*.JPEG"))
    ]
    labels = words(folder / "val" / "val_annotations.txt", ["picture", "wnid", "box"], "\t")
    if unknown := sorted(set(labels["wnid"]) - set(names)):
        raise ValueError(f"{folder}/val/val_annotations.txt: {', '.join(unknown)} not in wnids.txt; unpack it again")
    test = zip(labels["picture"], labels["wnid"], strict=True)
    rows += [(f"{folder.name}/val/images/{picture}", names[wnid], "test") for picture, wnid in test]
    return pd.DataFrame(rows, columns=["key", "class_name", "split"])


def taxonomy(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per class in the order of WordNet ids: `class_name`, `superclass`, `parent`, `depth_2` to 8, `wnid`."""
    names = _names(root)
    table = readers.table(TAXONOMY, readers.SHIPPED).set_index("wnid")
    if missing := sorted(set(names) - set(table.index)):
        raise ValueError(f"{TAXONOMY}: no row for {', '.join(missing)}; add one for each")
    found = table.loc[list(names), list(RANKS)].rename_axis("wnid").reset_index()
    found.insert(0, "class_name", list(names.values()))
    return found[["class_name", *RANKS, "wnid"]]


def _names(root: Path) -> dict[str, str]:
    """Classes' names (the first of a synset's words) by their sorted WordNet ids."""
    folder = only(root, "tiny-imagenet-200")
    wnids = sorted((folder / "wnids.txt").read_text(encoding="utf-8").split())
    synsets = dict(words(folder / "words.txt", ["wnid", "words"], "\t").to_numpy())
    return {wnid: synsets[wnid].split(",")[0] for wnid in wnids}
