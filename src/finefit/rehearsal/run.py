"""Making the jobs of a rehearsal, each in a process of its own; what does not fit is not begun."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finefit.jobs import machine, readers
from finefit.jobs.job import Job
from finefit.jobs.quantities import size
from finefit.outlook import needs
from finefit.study.plan import Plan

# Kinds that compute on a GPU wherever there is one.
ON_DEVICE = {"latents", "source", "finetune", "sample", "denoise", "reference", "judge", "evaluate"}
COMMAND = [sys.executable, "-P", "-m", "finefit"]
PAUSE = 0.1  # seconds between looks at what runs
LOST = "was not made"  # how the reason of a job ends that is only not begun because another was not made


@dataclass(frozen=True)
class Task:
    """A job of a rehearsal: its place among all, the study it belongs to, and bytes of memory counted for it."""

    place: str
    study: str
    job: Job
    counted: float


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its provenance if it was made, else why not; and the memory counted for it."""

    job: Job
    made: dict[str, Any] | None
    reason: str
    counted: float


@dataclass(frozen=True)
class Running:
    """A task under way, and the file of what it says."""

    task: Task
    process: subprocess.Popen[bytes]
    log: Path


def tasks(plans: list[Plan], on_gpu: bool) -> list[Task]:
    """Every job of some plans once; the reports last."""
    found: dict[str, tuple[str, Job]] = {}
    for plan in plans:
        for job in plan.jobs:
            found.setdefault(job.digest, (plan.study.name, job))
    ordered = sorted(found.values(), key=lambda one: one[1].kind == "report")
    return [
        Task(f"{number}/{len(ordered)}", study, job, needs.memory(job, on_gpu and job.kind in ON_DEVICE))
        for number, (study, job) in enumerate(ordered, start=1)
    ]


def outcomes(plans: list[Plan], folder: Path, on_gpu: bool, say: Callable[[str], None]) -> list[Outcome]:
    """Make what is missing, as many jobs at once as there are cores (one where there is a GPU) and memory for them.

    Raises:
        ToBeContinued: the rehearsal was told to stop; the same command goes on.
    """
    waiting = tasks(plans, on_gpu)
    order = [task.job.digest for task in waiting]
    most, free = 1 if on_gpu else machine.cores(), machine.free_bytes()
    ended: dict[str, Outcome] = {}
    running: list[Running] = []
    try:
        while waiting or running:
            for one in [one for one in running if one.process.poll() is not None]:
                running.remove(one)
                ended[one.task.job.digest] = over = outcome(one.task, folder, failure(one))
                say(f"{one.task.place}  {one.task.job.path}: {told(over)}")
            for task in [task for task in waiting if ready(task.job, ended)]:
                reason = obstacle(task, ended, free)
                if reason or (folder / task.job.marker).exists():
                    ended[task.job.digest] = outcome(task, folder, reason)
                    if reason:
                        say(f"{task.place}  {task.job.path}: {reason}")
                elif len(running) < most and task.counted + sum(one.task.counted for one in running) <= free:
                    say(f"{task.place}  {task.job.path}")
                    running.append(begin(task, folder))
                else:
                    continue
                waiting.remove(task)
            time.sleep(PAUSE)
    finally:
        for one in running:
            one.process.terminate()
        for one in running:
            one.process.wait()
    return [ended[digest] for digest in order]


def ready(job: Job, ended: dict[str, Outcome]) -> bool:
    """Whether nothing that a job reads is still to be made."""
    return all(source.digest in ended for source in job.inputs.values())


def obstacle(task: Task, ended: dict[str, Outcome], free: float) -> str:
    """Why a job is not begun where so many bytes are free, empty where nothing is in its way."""
    if lost := [source for source in task.job.inputs.values() if ended[source.digest].reason]:
        return f"not begun: {lost[0].path} {LOST}"
    if task.counted > free:
        return f"not begun: needs {size(task.counted)} of memory, and {size(free)} are free here"
    return ""


def begin(task: Task, folder: Path) -> Running:
    """Start a job's command."""
    log = folder / "logs" / f"{task.job.path.as_posix().replace('/', '-')}.log"
    log.parent.mkdir(exist_ok=True)
    command = [*COMMAND, task.job.kind, str(task.job.path), "--study", f"{task.study}.yaml"]
    paths = {"PYTHONPATH": os.pathsep.join(str(Path(path).resolve()) for path in sys.path if path)}
    with open(log, "w", encoding="utf-8") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.STDOUT, env=os.environ | paths)
    return Running(task, process, log)


def failure(ended: Running) -> str:
    """Why a command that has ended failed, empty where it did not."""
    code = ended.process.returncode
    if code == 0:
        return ""
    if code < 0:
        return f"fails: killed by signal {-code}, as the system does when memory is short; see {ended.log}"
    lines = ended.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no word"]
    last = next((line for line in reversed(lines) if line.startswith("finefit: ")), lines[-1])
    return f"fails: {last.removeprefix('finefit: ')}"


def outcome(task: Task, folder: Path, reason: str) -> Outcome:
    """What became of a job that was made, or was not for a reason."""
    return Outcome(task.job, None if reason else readers.content(folder / task.job.marker), reason, task.counted)


def told(over: Outcome) -> str:
    """What a job took, or why it was not made."""
    if over.made is None:
        return over.reason
    return f"{over.made['seconds']:.0f} s, {size(over.made['peak_bytes'])}"
