"""Phase "hierarchy": the superclass of every class, from its publishers, a taxonomy file, or the pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from finefit import datasets, judges
from finefit.data import sources
from finefit.hierarchy import clustered, taxonomy_file
from finefit.hierarchy.index import read_index, read_pictures
from finefit.jobs import readers
from finefit.jobs.job import Job


def build(job: Job, out: Path, scratch: Path) -> None:
    """Write each class's superclass (`hierarchy.csv`), numbered in order of appearance.

    Superclasses that were derived from pictures come with `hierarchy.json`: how, and how many there are by what.
    """
    data, wanted = job.inputs["data"], job.settings["superclass"]
    classes = readers.table(data.path / "classes.csv", dtype=str, keep_default_na=False)
    order = getattr(datasets.find(data.settings["reader"]), "SUPERCLASSES", None)
    if wanted == "derived":
        import torch

        network = judges.load(job.settings["judge"], sources.fetch(job.settings["weights"]["name"]))

        def see(rows: pd.DataFrame) -> np.ndarray:
            return network(torch.from_numpy(read_pictures(data, rows, job.settings["resolution"]))).numpy()

        names, found_by = clustered.superclasses(read_index(data, "train"), classes["class_name"], see)
        (out / "hierarchy.json").write_text(json.dumps(found_by, indent=1) + "\n")
    elif "taxonomy" in job.settings:
        rank = "superclass" if wanted == "source" else wanted
        names = taxonomy_file.superclasses(Path(job.settings["taxonomy"]["path"]), rank, classes["class_name"])
    else:
        names = classes["superclass" if wanted == "source" else wanted].tolist()
    known = list(order) if order and set(names) <= set(order) else list(dict.fromkeys(names))
    classes["superclass"], classes["superclass_id"] = names, [known.index(name) for name in names]
    classes[["class_id", "class_name", "superclass_id", "superclass"]].to_csv(out / "hierarchy.csv", index=False)


def read_hierarchy(hierarchy: Job) -> pd.DataFrame:
    """A row per class: `class_id`, `class_name`, `superclass_id`, `superclass`. Names are text, "NA" and "null" too."""
    text = {"class_name": str, "superclass": str}
    return readers.table(hierarchy.path / "hierarchy.csv", dtype=text, keep_default_na=False)


def superclass_of(hierarchy: Job) -> np.ndarray:
    """Superclass number of every class, int64 `[classes]`."""
    return read_hierarchy(hierarchy)["superclass_id"].to_numpy(copy=True)
