"""Which of a study's runs is asked for, how it is sampled, and which classes it knows: questions to a plan."""

from __future__ import annotations

import pandas as pd

from finefit.data.names import nearest
from finefit.hierarchy.superclasses import read_hierarchy
from finefit.jobs import store
from finefit.jobs.job import Job
from finefit.study.plan import Plan


def job_of(plan: Plan, entry: str, seed: int) -> Job:
    """The sample job of an entry and seed at the study's main scale (first data set, first guidance)."""
    if entry not in plan.study.methods:
        known = plan.study.methods
        raise ValueError(
            f"no method {entry!r} in {plan.study.name}{nearest(entry, known)}: use one of {', '.join(known)}"
        )
    if seed not in plan.study.seeds:
        raise ValueError(f"no seed {seed} in study {plan.study.name!r}: it has {', '.join(map(str, plan.study.seeds))}")
    return sample_of(plan, next(run for run in plan.kind("finetune") if run.name.endswith(f"/{entry}-s{seed}")))


def sample_of(plan: Plan, run: Job) -> Job:
    """The sample job of a run at the study's main scale (first guidance)."""
    jobs = [job for job in plan.kind("sample") if job.inputs["run"] is run]
    return next((job for job in jobs if job.settings["scale"] == plan.study.sample.scale), jobs[0])


def classes_of(plan: Plan, run: Job) -> pd.DataFrame:
    """Classes of the data set that a run was trained on, in the order of their ids: see `read_hierarchy`.

    Raises:
        ValueError: its hierarchy is not made yet.
    """
    group = run.name.partition("/")[0]
    reference = next(job for job in plan.kind("reference") if job.name.startswith(f"{group}/"))
    hierarchy = reference.inputs["hierarchy"]
    store.require(hierarchy)
    return read_hierarchy(hierarchy)
