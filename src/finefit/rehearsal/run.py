"""Making the jobs of a rehearsal, each in a process of its own; what does not fit is not begun."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finefit.jobs import machine, stopping
from finefit.jobs.job import Job
from finefit.jobs.store import read_json
from finefit.outlook import forecast, needs
from finefit.study.plan import Plan

ON_DEVICE = {"latents", "finetune", "sample", "denoise", "reference", "judge", "evaluate"}  # wherever there is a GPU
COMMAND = [sys.executable, "-c", "from finefit.cli import main; main()"]


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its provenance if it was made, else why not; and the memory counted for it."""

    job: Job
    made: dict[str, Any] | None
    reason: str
    counted: float


def jobs_of(plans: list[Plan]) -> list[tuple[Plan, Job]]:
    """Every job of some plans once, with the plan that it belongs to; the reports last."""
    found: dict[str, tuple[Plan, Job]] = {}
    for plan in plans:
        for job in plan.jobs:
            found.setdefault(job.digest, (plan, job))
    return sorted(found.values(), key=lambda one: one[1].kind == "report")


def outcomes(plans: list[Plan], folder: Path, on_gpu: bool, say: Callable[[str], None]) -> Iterator[Outcome]:
    """Make what is missing, one job after the other, and tell of each.

    Raises:
        ToBeContinued: the rehearsal was told to stop; the same command goes on.
    """
    lost: dict[str, str] = {}  # digests of jobs that were not made, and their paths
    everything = jobs_of(plans)
    for number, (plan, job) in enumerate(everything, start=1):
        counted, begun = needs.memory(job, on_gpu and job.kind in ON_DEVICE), time.monotonic()
        reason = ""
        if not (folder / job.marker).exists():
            say(f"{number}/{len(everything)}  {job.kind}  {job.path}")
            reason = obstacle(job, lost, counted) or make(plan, job, folder)
        if reason:
            lost[job.digest] = str(job.path)
            say(f"  {reason}")
        made = None if reason else read_json(folder / job.marker)
        if made and time.monotonic() - begun > 1:
            say(f"  {made['seconds']:.0f} s, {forecast.size(made['peak_bytes'])}")
        yield Outcome(job, made, reason, counted)


def obstacle(job: Job, lost: dict[str, str], counted: float) -> str:
    """Why a job is not begun, empty where nothing is in its way."""
    if missing := [lost[source.digest] for source in job.inputs.values() if source.digest in lost]:
        return f"not begun: {missing[0]} was not made"
    if counted > (free := machine.free_bytes()):
        return f"not begun: needs {forecast.size(counted)} of memory, and {forecast.size(free)} are free here"
    return ""


def make(plan: Plan, job: Job, folder: Path) -> str:
    """Run a job's command; gives why it failed, empty where it did not."""
    log = folder / "logs" / f"{job.path.as_posix().replace('/', '-')}.log"
    log.parent.mkdir(exist_ok=True)
    command = [*COMMAND, job.kind, str(job.path), "--study", f"{plan.study.name}.yaml"]
    paths = {"PYTHONPATH": os.pathsep.join(str(Path(path).resolve()) for path in sys.path if path)}
    with open(log, "w", encoding="utf-8") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.STDOUT, env=os.environ | paths)
        try:
            code = process.wait()
        except stopping.ToBeContinued:
            process.terminate()
            process.wait()
            raise
    if code == 0:
        return ""
    if code < 0:
        return f"fails: killed by signal {-code}, as the system does when memory is short; see {log}"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no word"]
    last = next((line for line in reversed(lines) if line.startswith("finefit: ")), lines[-1])
    return f"fails: {last.removeprefix('finefit: ')}"
