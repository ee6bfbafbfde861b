"""Pictures, classes and superclasses of a data set: the first two phases, and how later ones read them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from finefit import archives, datasets, derived, lineages
from finefit.plan import Job


def build_data(job: Job, out: Path, scratch: Path) -> None:
    """Phase "data": list a data set's pictures (`index.csv`) and classes (`classes.csv`), fetching what it needs.

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
    index[["key", "class_id", "split"]].to_csv(out / "index.csv", index=False)
    classes.to_csv(out / "classes.csv", index=False)


def build_hierarchy(job: Job, out: Path, scratch: Path) -> None:
    """Phase "hierarchy": each class's superclass (`hierarchy.csv`), numbered in order of appearance.

    Superclasses that were derived from pictures come with `hierarchy.json`: how, and how many were chosen by what.
    """
    data, wanted = job.inputs["data"], job.settings["superclass"]
    classes = pd.read_csv(data.path / "classes.csv", dtype=str, keep_default_na=False)
    order = getattr(datasets.find(data.settings["reader"]), "SUPERCLASSES", None)
    if wanted == "derived":
        rows = read_index(data, "train")
        names, chosen = derived.superclasses(
            rows, classes["class_name"], lambda part: read_pictures(data, part, derived.RESOLUTION)
        )
        (out / "hierarchy.json").write_text(json.dumps(chosen, indent=1) + "\n")
    elif "taxonomy" in job.settings:
        rank = "superclass" if wanted == "source" else wanted
        names = lineages.superclasses(Path(job.settings["taxonomy"]["path"]), rank, classes["class_name"])
    else:
        names = classes["superclass" if wanted == "source" else wanted].tolist()
    known = list(order) if order and set(names) <= set(order) else list(dict.fromkeys(names))
    classes["superclass"], classes["superclass_id"] = names, [known.index(name) for name in names]
    classes[["class_id", "class_name", "superclass_id", "superclass"]].to_csv(out / "hierarchy.csv", index=False)


def opened(data: Job):
    """Reader, its settings, and the folder with the content of its sources (None without), for a "data" job."""
    reader = datasets.find(data.settings["reader"])
    settings = reader.Settings(**data.settings["options"])
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


def superclass_of(hierarchy: Job) -> np.ndarray:
    """Superclass number of every class, int64 `[classes]`."""
    return pd.read_csv(hierarchy.path / "hierarchy.csv")["superclass_id"].to_numpy(copy=True)
