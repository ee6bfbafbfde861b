"""A study's artifacts as tidy tables. What is not made yet is a row with `state` "pending" and nan for its numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from finefit.jobs.job import Job
from finefit.report.statistics import Estimate, estimate, over_classes, paired
from finefit.study import reading
from finefit.study.plan import Plan

METRICS = (
    "fd_probe",
    "diversity_probe",
    "class_accuracy",
    "superclass_accuracy",
    "kid_probe",
    "precision_probe",
    "recall_probe",
    "memorised_probe",
    "fid",
    "lpips",
)
RUN = ("trained_parameters", "total_parameters", "trained_share", "delta_bytes")
COST = ("train_seconds", "train_peak_bytes", "sample_seconds")


@dataclass(frozen=True)
class Results:
    """A study and what is known of it; `plan` says what there will be."""

    plan: Plan

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """One row per evaluate job: what was done (`group` to `seed`), `state`, metrics, run's size and cost, `job`.

        `group` is data set and resolution; `variant` a method's entry, with its guidance where the entry has several.
        """
        return pd.DataFrame([self._evaluation(job) for job in self.plan.kind("evaluate")])

    @cached_property
    def references(self) -> dict[str, Job]:
        """Reference job per group, in the study's order."""
        return {group_of(job): job for job in self.plan.kind("reference")}

    @cached_property
    def variants(self) -> pd.DataFrame:
        """`evaluations` over seeds: per group, variant and scale an `Estimate` per metric, mean cost, and `jobs`."""
        keys = ["group", "variant", "entry", "guidance", "scale", "main"]
        rows = []
        for values, part in self.evaluations.groupby(keys, sort=False):
            estimates = {metric: self.estimated(part, metric) for metric in (*METRICS, *COST)}
            known = {column: part[column].max() for column in RUN}
            done = int((part["state"] == "done").sum())
            jobs = {"seeds": list(part["seed"]), "jobs": list(part["job"]), "done": done, "planned": len(part)}
            rows.append(dict(zip(keys, values, strict=True)) | estimates | known | jobs)
        return pd.DataFrame(rows)

    @property
    def main(self) -> pd.DataFrame:
        """`variants` at the study's main guidance scale: the rows of the results table."""
        return self.variants[self.variants["main"]]

    @cached_property
    def losses(self) -> pd.DataFrame:
        """Training losses: columns `group`, `entry`, `seed`, `step`, `loss`; runs not made yet are left out."""
        runs = {job.inputs["sample"].inputs["run"].digest: job for job in self.plan.kind("evaluate")}
        parts = []
        for run in self.plan.kind("finetune"):
            if run.marker.exists():
                group = group_of(runs[run.digest].inputs["reference"])
                labels = {"group": group, "entry": entry_of(run, group), "seed": run.settings["seed"]}
                parts.append(pd.read_csv(run.path / "losses.csv").assign(**labels))
        return pd.concat(parts) if parts else pd.DataFrame(columns=["step", "loss", "group", "entry", "seed"])

    def reference(self, group: str) -> dict[str, float] | None:
        """The real pictures' own values of a group (reference.json), None while pending."""
        return content(self.references[group], "reference.json") or None

    def classes(self, group: str) -> pd.DataFrame | None:
        """Classes of a group's data set: `class_id`, `class_name`, `superclass`; None while pending."""
        hierarchy = self.references[group].inputs["hierarchy"]
        if not hierarchy.marker.exists():
            return None
        return pd.read_csv(hierarchy.path / "hierarchy.csv", dtype={"class_name": str, "superclass": str})

    def seeds_of(self, row: pd.Series) -> pd.DataFrame:
        """The rows of `evaluations`, one per seed, that a row of `variants` is the mean of."""
        same = ["group", "entry", "guidance", "scale"]
        return self.evaluations[(self.evaluations[same] == row[same]).all(axis=1)]

    def estimated(self, runs: pd.DataFrame, metric: str) -> Estimate:
        """Mean of a metric over runs that differ in the seed alone, with its interval over seeds and classes."""
        known = runs.dropna(subset=[metric])
        resampled = [self._resampled(job, metric) for job in known["job"]]
        return self._over_classes(estimate(known[metric]), resampled, known)

    def difference(self, first: pd.Series, second: pd.Series, metric: str) -> Estimate:
        """Mean difference of two rows of `variants`, paired over the seeds (and class resamples) that both have."""
        return self.contrast([(first, second)], metric)

    def contrast(self, pairs: list[tuple[pd.Series, pd.Series]], metric: str) -> Estimate:
        """Mean difference first - second over pairs of rows of `variants`, over the seeds that all of them have."""
        both = [[self.seeds_of(row).dropna(subset=[metric]).set_index("seed") for row in pair] for pair in pairs]
        known = [seed for seed in both[0][0].index if all(seed in one.index for pair in both for one in pair)]
        first, second = ({s: np.mean([pair[side][metric][s] for pair in both]) for s in known} for side in (0, 1))
        resampled = [
            np.mean(
                [np.subtract(*(self._resampled(one["job"][seed], metric) for one in pair)) for pair in both], axis=0
            )
            for seed in known
        ]
        return self._over_classes(paired(first, second), resampled, both[0][0])

    def _over_classes(self, seeds: Estimate, resampled: list[np.ndarray], runs: pd.DataFrame) -> Estimate:
        if seeds.count < 2 or not all(len(values) for values in resampled):
            return seeds
        return over_classes(seeds, np.mean(resampled, axis=0), len(self.classes(runs["group"].iloc[0])))

    def _resampled(self, job: Job, metric: str) -> np.ndarray:
        """A metric of one set of samples under resamples of the classes; empty where it was not resampled."""
        if job.digest not in self._bootstraps:
            path = job.path / "bootstrap.csv"
            self._bootstraps[job.digest] = pd.read_csv(path) if path.exists() else pd.DataFrame()
        return self._bootstraps[job.digest].get(metric, pd.Series(dtype=float)).to_numpy()

    @cached_property
    def _bootstraps(self) -> dict[str, pd.DataFrame]:
        return {}

    def _evaluation(self, job: Job) -> dict:
        sample, group = job.inputs["sample"], group_of(job.inputs["reference"])
        run, guidance, scale = sample.inputs["run"], sample.settings["guidance"], sample.settings["scale"]
        entry = entry_of(run, group)
        references = self.plan.study.method_settings(entry).guidance
        known = dict.fromkeys((*METRICS, *RUN, *COST), float("nan"))
        known |= {metric: value for metric, value in content(job, "metrics.json").items() if value is not None}
        known |= content(run, "run.json")
        made, drawn = content(run, run.marker.name), content(sample, sample.marker.name)
        if made:
            known |= {"train_seconds": made["seconds"], "train_peak_bytes": made["peak_bytes"]}
        if drawn:
            known |= {"sample_seconds": drawn["seconds"]}
        return {
            "group": group,
            "entry": entry,
            "variant": f"{entry}-{guidance}" if guidance != "none" and len(references) > 1 else entry,
            "guidance": guidance,
            "scale": scale,
            "main": scale == self.plan.study.sample.scale or not references,
            "seed": run.settings["seed"],
            "state": "done" if job.marker.exists() else "pending",
            **known,
            "job": job,
        }


def read(study: str | Path) -> Results:
    """Results of the study that a file describes; the working directory is the repository's root.

    Raises:
        ValueError: the study file is missing or has faults.
    """
    return Results(Plan(reading.load(Path(study))))


def content(job: Job, file: str) -> dict:
    """A JSON file of a published artifact; empty while the artifact is pending."""
    return json.loads((job.path / file).read_text()) if job.marker.exists() else {}


def group_of(reference: Job) -> str:
    """Data set and resolution that a reference job belongs to, such as "embedded-32"."""
    return reference.name.partition("/")[0]


def entry_of(run: Job, group: str) -> str:
    """The study's entry that a fine-tune job runs."""
    return run.name.removeprefix(f"{group}/").removesuffix(f"-s{run.settings['seed']}")
