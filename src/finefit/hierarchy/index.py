"""Phase "data": the index of a data set's pictures and classes, and how later phases read the pictures it lists."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from finefit import datasets
from finefit.data import archives, sources
from finefit.jobs import readers
from finefit.jobs.job import Job
from finefit.jobs.trial import few_classes

SHOWN = 5  # missing pictures named


def build(job: Job, out: Path, scratch: Path) -> None:
    """List a data set's pictures (`index.csv`) and classes (`classes.csv`), fetching what it needs.

    Raises:
        ValueError: a picture's class is not in the taxonomy, a class has no training picture, or not all is there that
            was published.
    """
    reader, settings, root = opened(job)
    classes = reader.taxonomy(settings, root)
    classes.insert(0, "class_id", range(len(classes)))
    index = reader.index(settings, root)
    numbers = dict(zip(classes["class_name"], classes["class_id"], strict=True))
    index["class_id"] = index["class_name"].map(numbers)
    unknown = sorted(set(index.loc[index["class_id"].isna(), "class_name"]))
    empty = sorted(set(classes["class_name"]) - set(index.loc[index["split"] == "train", "class_name"]))
    if unknown or empty:
        raise ValueError(f"{job.name}: classes without a taxonomy row: {unknown}; without a training picture: {empty}")
    if "trial" in job.settings:  # of few pictures that may stand in for the true ones
        index = few(index, len(classes), job.settings["trial"])
    elif faults := lacking(reader, settings, root, index, classes):
        raise ValueError(f"{job.name}: {'; '.join(faults)}{remedy(reader.sources(settings))}")
    index[["key", "class_id", "split"]].to_csv(out / "index.csv", index=False)
    classes.to_csv(out / "classes.csv", index=False)


def counts(index: pd.DataFrame, classes: pd.DataFrame) -> dict[str, int | None]:
    """Classes, superclasses (None without any), training and test pictures of a data set."""
    return {
        "classes": len(classes),
        "superclasses": classes["superclass"].nunique() if "superclass" in classes else None,
        "train": int((index["split"] == "train").sum()),
        "test": int((index["split"] == "test").sum()),
    }


def files(reader: ModuleType, settings: Any, root: Path | None, index: pd.DataFrame) -> list[Path | None]:
    """Paths of the pictures of an index, None for those that are drawn."""
    if hasattr(reader, "files"):
        return reader.files(index, settings, root)
    folder = reader.folder(root) if hasattr(reader, "folder") and root else root
    return [folder / key if folder else None for key in index["key"]]


def lacking(
    reader: ModuleType, settings: Any, root: Path | None, index: pd.DataFrame, classes: pd.DataFrame
) -> list[str]:
    """What of a data set is not as published: its counts, and files that are not there."""
    facts = (
        datasets.published(reader, settings) if reader.sources(settings) else None
    )  # what it draws, its settings say
    found = counts(index, classes)
    wanted = {what: getattr(facts, what) for what in found} if facts else {}
    faults = [
        f"{found[what]} {what} on disk, {count} published"
        for what, count in wanted.items()
        if count is not None and found[what] != count
    ]
    if missing := [str(path) for path in files(reader, settings, root, index) if path and not path.exists()]:
        faults.append(f"{len(missing)} pictures are missing: {', '.join(missing[:SHOWN])}, ...")
    return faults


def remedy(rows: tuple[str, ...]) -> str:
    """What to do about archives that were not whole: those first that no checksum holds."""
    found = [sources.find(row) for row in rows]
    doubtful = [row for row in found if row.checksum == sources.UNPUBLISHED] or found
    if not doubtful:
        return ""
    away = [str(path) for row in doubtful for path in (row.place, sources.trusted(row.place)) if path.exists()]
    places = " ".join(map(shlex.quote, [*away, str(archives.place(rows))]))
    return (
        f"; what was unpacked is not whole: rm -r {places}, get {', '.join(row.file for row in doubtful)} again, repeat"
    )


def few(index: pd.DataFrame, classes: int, most: int) -> pd.DataFrame:
    """Two pictures of each split of some classes, from the first to the last: `most` of a split at most."""
    kept = index[index["class_id"].isin(few_classes(classes, most // 2))]
    return kept[kept.groupby(["split", "class_id"]).cumcount() < 2]


def opened(data: Job) -> tuple[ModuleType, Any, Path | None]:
    """Reader, its settings, and the folder with the content of its sources (None without), for a "data" job."""
    reader = datasets.find(data.settings["reader"])
    settings = reader.Settings(**data.full["options"])
    rows = reader.sources(settings)
    return reader, settings, archives.unpacked(rows) if rows else None


def read_index(data: Job, split: str | None = None) -> pd.DataFrame:
    """The pictures of one split (None: of all), in index order: columns `key`, `class_name`, `class_id`, `split`."""
    text = {"key": str, "class_name": str}
    index = readers.table(data.path / "index.csv", dtype=text, keep_default_na=False)
    names = readers.table(data.path / "classes.csv", dtype=text, keep_default_na=False)["class_name"]
    index["class_name"] = names[index["class_id"]].to_numpy()
    return index[index["split"] == split].reset_index(drop=True) if split else index


def read_pictures(data: Job, rows: pd.DataFrame, resolution: int) -> np.ndarray:
    """Pictures of index rows: uint8 `[n, resolution, resolution, 3]`."""
    reader, settings, root = opened(data)
    return reader.read(rows, resolution, settings, root)
