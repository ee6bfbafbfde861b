"""The commands, a module for each subject; here is what they share.

May import: every other room.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from finefit.jobs.job import Job
from finefit.study import reading
from finefit.study.plan import Plan

PARAMS = Path("params.yaml")
StudyFile = Annotated[Path, typer.Option(help="The study: params.yaml or a file of studies/.")]


def plan_of(study: Path) -> Plan:
    """The plan of a study file."""
    return Plan(reading.load(study))


def needed(plan: Plan) -> set[str]:
    """Names of the sources that a study's jobs read."""

    def rows(job: Job) -> list[dict]:
        settings = job.settings
        codec = settings.get("codec", {})
        weights = [settings.get("weights"), codec.get("weights"), *codec.get("beside", [])]
        return [*settings.get("sources", []), *settings.get("published", {}).values(), *filter(None, weights)]

    return {row["name"] for job in plan.jobs if job.kind != "report" for row in rows(job)}


def split(names: str) -> list[str]:
    """Names from a list with commas: `beach,"church, indoor"` are two.

    Raises:
        ValueError: there is none.
    """
    found = [name.strip() for name in next(csv.reader([names], skipinitialspace=True), []) if name.strip()]
    if not found and names.strip():
        raise ValueError(f"{names!r}: no name in it")
    return found
