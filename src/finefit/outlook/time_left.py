"""How far a study is, and how long the rest will take: said after every job."""

from __future__ import annotations

from statistics import mean

from finefit.jobs.machine import cores
from finefit.jobs.progress import clock
from finefit.jobs.store import read_json
from finefit.study.plan import Plan


def outlook(plan: Plan) -> str:
    """Jobs done of all, and the time left on this machine's cores.

    A missing job is taken to last as long as the done ones of its kind; while a kind has none done, the time is a
    lower bound.
    """
    seconds: dict[str, list[float]] = {}
    missing = []
    for job in plan.jobs:
        if job.marker.exists():
            seconds.setdefault(job.kind, []).append(read_json(job.marker)["seconds"])
        else:
            missing.append(job.kind)
    left = sum(mean(seconds[kind]) for kind in missing if kind in seconds) / cores()
    bound = "about" if set(missing) <= seconds.keys() else "more than"
    return f"{len(plan.jobs) - len(missing)} of {len(plan.jobs)} jobs done, {bound} {clock(left)} left"
