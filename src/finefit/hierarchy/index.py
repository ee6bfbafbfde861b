"""Phase "data": the index of a data set's pictures and classes, and how later phases read the pictures it lists."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from finefit import datasets
from finefit.data import archives
from finefit.jobs.job import Job
from finefit.jobs.trial import few_classes


def build(job: Job, out: Path, scratch: Path) -> None:
    """List a data set's pictures (`index.csv`) and classes (`classes.csv`), fetching what it needs.

    Raises:
        ValueError: a picture's class is not in the taxonomy, or a class has no training picture.
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
    if "trial" in job.settings:
        index = few(index, len(classes), job.settings["trial"])
    index[["key", "class_id", "split"]].to_csv(out / "index.csv", index=False)
    classes.to_csv(out / "classes.csv", index=False)


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
    index = pd.read_csv(data.path / "index.csv", dtype=text, keep_default_na=False)
    names = pd.read_csv(data.path / "classes.csv", dtype=text, keep_default_na=False)["class_name"]
    index["class_name"] = names[index["class_id"]].to_numpy()
    return index[index["split"] == split].reset_index(drop=True) if split else index


def read_pictures(data: Job, rows: pd.DataFrame, resolution: int) -> np.ndarray:
    """Pictures of index rows: uint8 `[n, resolution, resolution, 3]`."""
    reader, settings, root = opened(data)
    return reader.read(rows, resolution, settings, root)
