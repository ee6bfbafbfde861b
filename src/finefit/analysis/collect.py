"""A study's artifacts as tidy tables.

What is not made yet is a row with `state` "pending" and nan for its numbers; "failed" where its job, or one that it is
built on, failed when it was last tried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from finefit import judges, processes
from finefit.analysis.scores import COST, RUN, Scores
from finefit.hierarchy.superclasses import read_hierarchy
from finefit.jobs import readers, store
from finefit.jobs.job import Job
from finefit.study import reading
from finefit.study.config import Study
from finefit.study.plan import Plan

OTHER_PROCESS = "held-out losses of two processes are no more alike than noise and velocity"


@dataclass(frozen=True, eq=False)
class Results(Scores):
    """A study and what its artifacts say of it; `plan` says what there will be."""

    plan: Plan

    @property
    def study(self) -> Study:
        """The study that was planned."""
        return self.plan.study

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """One row per evaluate job, with `job`: see `Scores`."""
        return pd.DataFrame([self._evaluation(job) for job in self.plan.kind("evaluate")])

    @cached_property
    def references(self) -> dict[str, Job]:
        """Reference job per group, in the study's order."""
        return {group_of(job): job for job in self.plan.kind("reference")}

    @cached_property
    def denoising(self) -> dict[str, Job]:
        """The denoise job of each run, by the run's digest."""
        jobs = self.plan.kind("denoise")
        return {job.inputs["run"].digest: job for job in jobs if "run" in job.inputs}

    @cached_property
    def denoising_of_base(self) -> dict[str, Job]:
        """The denoise job of the study's own base per group; none where a study starts from scratch."""
        of_base = [job for job in self.plan.kind("denoise") if "base" in job.inputs]
        return {group_of(job): job for job in of_base if job.inputs["base"] is self.plan.base}

    @cached_property
    def losses(self) -> pd.DataFrame:
        """Training losses: columns `group`, `entry`, `seed`, `step`, `loss`; runs not made yet are left out."""
        runs = {job.inputs["sample"].inputs["run"].digest: job for job in self.plan.kind("evaluate")}
        parts = []
        for run in self.plan.kind("finetune"):
            if run.digest in runs and run.marker.exists():
                group = group_of(runs[run.digest].inputs["reference"])
                labels = {"group": group, "entry": entry_of(run, group), "seed": run.settings["seed"]}
                parts.append(readers.table(run.path / "losses.csv").assign(**labels))
        return pd.concat(parts) if parts else pd.DataFrame(columns=["step", "loss", "group", "entry", "seed"])

    def judging(self, group: str) -> dict[str, Job]:
        """The "judge" jobs of a group by the judge's name, the study's own first."""
        return {job.settings["judge"]: job for job in self.plan.kind("judge") if group_of(job) == group}

    def failures(self, group: str) -> dict[str, str]:
        """Why scores of a group are not to be relied on, by their columns; empty while no judge is judged."""
        reasons = {}
        for name, job in self.judging(group).items():
            failed = content(job, "judge.json").get("failures", {})
            reasons |= {judges.column(score, name): reason for score, reason in failed.items()}
        return reasons

    def reference(self, group: str) -> dict[str, float] | None:
        """The real pictures' own values of a group (reference.json), None while pending; nan where one has none.

        With them, as `fd_JUDGE_floor`, what each judge says of real pictures beside as many others: its draws' mean.
        """
        return self._references[group]

    @cached_property
    def _references(self) -> dict[str, dict[str, float] | None]:
        """See `reference`: files that every row of a table would read anew."""
        return {group: self._reference(group) for group in self.references}

    def _reference(self, group: str) -> dict[str, float] | None:
        values = content(self.references[group], "reference.json")
        known = {key: math.nan if one is None else one for key, one in values.items() if key != "absent"}
        for name, job in self.judging(group).items():
            key = f"{judges.column('fd', name)}_floor"
            if known and key not in known and (floor := unharmed(job)) is not None:
                known |= {key: floor, f"{key}_size": content(job, "judge.json")["pictures"]}
        return known or None

    def absent(self, group: str) -> dict[str, str]:
        """Why real pictures of a group lack some of their own values."""
        return content(self.references[group], "reference.json").get("absent", {})

    def classes(self, group: str) -> pd.DataFrame | None:
        """Classes of a group's data set: `class_id`, `class_name`, `superclass`; None while pending."""
        hierarchy = self.references[group].inputs["hierarchy"]
        if not hierarchy.marker.exists():
            return None
        return read_hierarchy(hierarchy)

    def class_scores(self, row: pd.Series) -> pd.DataFrame | None:
        """Scores of each class, a row per `class_id`, means over the seeds of a row of `variants`; None if pending."""
        return over_seeds(row, "classes.csv", "class_id")

    def _evaluation(self, job: Job) -> dict:
        sample, group = job.inputs["sample"], group_of(job.inputs["reference"])
        run, guidance, scale = sample.inputs["run"], sample.settings["guidance"], sample.settings["scale"]
        entry = entry_of(run, group)
        references = self.plan.study.guidances(entry)
        known = dict.fromkeys((*self.metrics, *RUN, *COST), float("nan"))
        scores = content(job, "metrics.json")
        known |= {metric: value for metric, value in scores.items() if value is not None and metric != "absent"}
        known |= content(run, "run.json")
        absent = scores.get("absent", {})
        if processes.told(run.settings["network"]) == processes.told(self.study.base.model_dump()):
            known |= content(self.denoising[run.digest], "denoising.json")
        else:
            absent = absent | {"denoising_loss": OTHER_PROCESS}
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
            "state": "done" if job.marker.exists() else "failed" if failure(job) else "pending",
            "failure": "" if job.marker.exists() else failure(job),
            "absent": absent,
            **known,
            "job": job,
        }


def read(study: str | Path) -> Results:
    """Results of the study that a file describes; the working directory is the repository's root.

    Raises:
        ValueError: the study file is missing or has faults.
    """
    return Results(Plan(reading.load(Path(study))))


def over_seeds(row: pd.Series, file: str, by: str) -> pd.DataFrame | None:
    """A table of every evaluation of a row of `variants`, averaged over its seeds for each value of a column."""
    files = [job.path / file for job in row["jobs"] if job.marker.exists()]
    frames = [readers.table(path) for path in files if path.exists()]
    return pd.concat(frames).groupby(by).mean() if frames else None


def content(job: Job, file: str) -> dict:
    """A JSON file of a published artifact; empty while the artifact is pending.

    Raises:
        ValueError: it is damaged.
    """
    return readers.content(job.path / file) if job.marker.exists() else {}


def unharmed(job: Job) -> float | None:
    """The Frechet distance that a judge sees between real pictures and others, mean over its draws; None if pending."""
    if not job.marker.exists():
        return None
    judged = readers.table(job.path / "judged.csv")
    draws = judged[judged["degradation"] == judges.UNHARMED] if len(judged) else judged
    return float(draws["fd"].mean()) if len(draws) else None


def failure(job: Job) -> str:
    """Why an artifact is not there: the failure of its job, or of one that it is built on; empty where none failed."""
    if job.marker.exists():
        return ""
    return next(filter(None, map(failure, job.inputs.values())), "") or store.failure(job)


def group_of(job: Job) -> str:
    """Data set and resolution that a job of phase "evaluate" belongs to, such as "embedded-32"."""
    return job.name.partition("/")[0]


def entry_of(run: Job, group: str) -> str:
    """The study's entry that a fine-tune job runs."""
    return run.name.removeprefix(f"{group}/").removesuffix(f"-s{run.settings['seed']}")
