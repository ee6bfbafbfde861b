"""What is known of a study while it runs: jobs done, running and failed, and the time left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from finefit.jobs import progress, store
from finefit.jobs.job import PHASES, Job
from finefit.outlook.time_left import Pace, Span
from finefit.study.plan import Plan


@dataclass(frozen=True)
class Running:
    """A job that runs: what it is called, the plan's job where it is one, since when (in seconds of some clock)."""

    kind: str
    name: str
    job: Job | None
    since: float
    log: Path

    def says(self) -> list[str]:
        """The lines of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []


class Count(NamedTuple):
    """Jobs done of all, those of one phase."""

    phase: str
    done: int
    total: int


class State:
    """A study's jobs as the events of its run have left them."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.running: dict[int, Running] = {}  # by Snakemake's number
        self.failed: dict[int, Running] = {}
        self._jobs = {job.path: job for job in plan.jobs}
        self._missing = {job.digest: job for job in plan.jobs if not job.marker.exists()}
        self._pace = Pace(plan.jobs)

    def began(self, number: int, kind: str, artifact: str, log: str, now: float) -> None:
        """A job of the workflow has begun; one that is tried once more has not failed any more."""
        folder = PHASES.get(kind, ("", ""))[1]
        job = self._jobs.get(Path(folder) / artifact)
        self.failed.pop(number, None)
        self.running[number] = Running(kind, job.name if job else artifact, job, now, Path(log))

    def ended(self, number: int, now: float) -> tuple[Running, float]:
        """A running job is done; gives it and its seconds."""
        running = self.running.pop(number)
        seconds = now - running.since
        if running.job and self._missing.pop(running.job.digest, None):
            self._pace.ended(running.job, seconds)
        return running, seconds

    def broke(self, number: int) -> tuple[Running, str]:
        """A running job has failed; gives it and why, in a line: what it noted down, else the last that it said."""
        running = self.failed[number] = self.running.pop(number)
        noted = store.failure(running.job) if running.job else ""
        return running, noted or next((line for line in reversed(running.says()) if line.strip()), "it said nothing")

    @property
    def done(self) -> int:
        """Jobs whose artifact stands."""
        return len(self.plan.jobs) - len(self._missing)

    def phases(self) -> Iterator[Count]:
        """Jobs done of all in each phase that the study has."""
        for phase in dict(PHASES.values()):
            if jobs := self.plan.phase(phase):
                yield Count(phase, sum(job.digest not in self._missing for job in jobs), len(jobs))

    def left(self, now: float) -> Span:
        """Time left for the whole study on this machine."""
        begun = {one.job.digest: now - one.since for one in self.running.values() if one.job}
        return self._pace.left(self._missing.values(), begun)

    def share(self, running: Running, now: float) -> tuple[float, str]:
        """How much of a running job is done, 0 to 1, as it tells or else by its forecast; and at what it is."""
        if running.job is None:
            return 0.0, ""
        stage = progress.reached(store.SCRATCH / running.job.digest)
        what = f"{stage.what} {stage.done}/{stage.total}" if stage else ""
        if stage and stage.done:
            return stage.done / stage.total, what
        return min(0.99, (now - running.since) / self._pace.of(running.job).middle), what
