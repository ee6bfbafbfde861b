"""Held-out denoising losses of a study: of each method, of the base, and by bands of timesteps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from finefit.analysis.collect import Results, content
from finefit.analysis.scores import of_group
from finefit.jobs import readers
from finefit.jobs.job import Job

METRIC = "denoising_loss"


def by_entry(found: Results, group: str) -> list[pd.Series]:
    """A row of `Scores.main` for each entry: guidance makes no difference to this loss.

    Entries whose loss is not to be compared with the study's, being another process's, are left out.
    """
    rows = of_group(found.main, group).drop_duplicates("entry")
    return [row for _, row in rows.iterrows() if METRIC not in row["absent"]]


def base_loss(found: Results, group: str) -> float | None:
    """The base's own loss on a group's pictures; None while pending, and where it has no null row."""
    job = found.denoising_of_base.get(group)
    return content(job, "denoising.json").get(METRIC) if job else None


def by_band(jobs: list[Job]) -> pd.Series | None:
    """Mean loss over runs and classes, by the middle timestep of each band; None where no job has it."""
    files = [job.path / "denoising.csv" for job in jobs if (job.path / "denoising.csv").exists()]
    if not files:
        return None
    table_ = pd.concat([readers.table(path) for path in files])
    return table_.groupby(np.ceil((table_["from"] + table_["to"]) / 2))["loss"].mean()
