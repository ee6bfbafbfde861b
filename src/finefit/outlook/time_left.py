"""How far a study is, and how long the rest takes: forecast before anything ran, then corrected by what jobs took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from finefit.jobs import readers
from finefit.jobs.job import Job
from finefit.jobs.machine import cores
from finefit.jobs.quantities import duration
from finefit.outlook import cost, forecast
from finefit.study.plan import Plan

ENOUGH = 3  # finished jobs of a kind, from which on what they took bounds the others


class Span(NamedTuple):
    """Seconds: as expected, at least and at most."""

    middle: float
    least: float
    most: float

    def times(self, factor: float) -> Span:
        """So many times as long."""
        return Span(*(factor * part for part in self))


class Pace:
    """How long each job of a study takes on this machine, better known with every job that ends."""

    def __init__(self, jobs: Iterable[Job]):
        here = forecast.hardware_here()
        self._forecast = {job.digest: Span(*cost.seconds(job, here)) for job in jobs}
        self._ratios: dict[str, list[float]] = {}  # by kind: what jobs took over what they were forecast to take
        for job in jobs:
            if job.marker.exists():
                self.ended(job, readers.content(job.marker)["seconds"])

    def ended(self, job: Job, seconds: float) -> None:
        """Note what a job took."""
        self._ratios.setdefault(job.kind, []).append(seconds / self._forecast[job.digest].middle)

    def of(self, job: Job) -> Span:
        """How long a job takes from its beginning: its forecast, times what ended jobs of its kind took of theirs.

        The bounds are the forecast's until `ENOUGH` jobs of the kind ended, then the widest that were seen.
        """
        forecast_of_job, ratios = self._forecast[job.digest], self._ratios.get(job.kind)
        if not ratios:
            return forecast_of_job
        mean = sum(ratios) / len(ratios)
        if len(ratios) < ENOUGH:
            return forecast_of_job.times(mean)
        return Span(*(forecast_of_job.middle * factor for factor in (mean, min(ratios), max(ratios))))

    def left(self, jobs: Iterable[Job], running: Mapping[str, float] | None = None) -> Span:
        """How long jobs take together on this machine's cores, and no less than the longest of them.

        Args:
            running: seconds for which some have been running, by digest.
        """
        begun = running or {}
        spans = [[max(0.0, part - begun.get(job.digest, 0.0)) for part in self.of(job)] for job in jobs]
        return Span(*(max(sum(part) / cores(), *part) for part in zip(*spans, strict=True))) if spans else Span(0, 0, 0)


def told(span: Span) -> str:
    """Time left in words: "about 9 min left (6 min to 14 min)"."""
    middle, least, most = map(duration, span)
    return f"about {middle} left ({least} to {most})"


def outlook(plan: Plan) -> str:
    """Jobs done of all, and the time left on this machine's cores."""
    waiting, total = plan.missing(), len(plan.jobs)
    counted = f"{total - len(waiting)} of {total} jobs done"
    return f"{counted}, {told(Pace(plan.jobs).left(waiting))}" if waiting else counted
