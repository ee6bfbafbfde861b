"""Making what a bench needs: Snakemake, on the bench's own study, asked for some jobs and what they are built from."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from finefit.jobs.job import Job
from finefit.study.config import Study


def make(file: Path, jobs: Sequence[Job]) -> None:
    """Have Snakemake make the jobs of a study's file that are not made yet, as many at once as there are cores.

    Raises:
        ValueError: a job failed; what it said stands above, and in its log.
    """
    missing = [str(job.marker) for job in jobs if not job.marker.exists()]
    if not missing:
        return
    here = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])}
    command = [sys.executable, "-m", "snakemake", *missing, "--configfile", str(file)]
    if subprocess.run(command, env=os.environ | here).returncode:
        raise ValueError(f"{file}: not all of its jobs were made, see above; the same command goes on from there")


def write(study: Study, file: Path) -> None:
    """Write a study's file, for Snakemake."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
