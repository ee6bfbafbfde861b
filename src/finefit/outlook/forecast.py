"""`finefit plan`: what a study will compute and why, what it will cost in hours and disk, and whether that fits."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from finefit.data import sources
from finefit.jobs import machine, readers
from finefit.jobs.job import PHASES, Job
from finefit.jobs.quantities import duration, size
from finefit.outlook import cost, facts, rates, work
from finefit.outlook.rates import Rate
from finefit.study.plan import Plan

# Rows of the table of rates by what /proc/cpuinfo calls the units that multiply bfloat16 matrices, the fastest first.
CPU_KINDS = {"amx_bf16": "cpu-bfloat16", "avx512_bf16": "cpu-avx512-bf16"}
COLUMNS = "{:<10} {:>5} {:>5}   {:>30}   {:>30}   {:>9}"


def lines(plan: Plan) -> Iterator[str]:
    """The forecast, line by line: each missing job and why it runs, a row per phase, what the numbers rest on."""
    missing = plan.missing()
    for job in missing:
        yield f"missing  {job.phase:<9}  {job.path}  {reason(job)}"
    yield from table(plan)
    yield "Time is operations, counted, over a rate of data/rates.csv or of a rehearsal here (bounds in brackets):"
    for rate in sorted(rates_used(missing, hardware_here()), key=lambda rate: (rate.hardware, rate.work, rate.shape)):
        bounds = f"{rate.rate:.3g} {rate.unit} ({rate.low:.3g} to {rate.high:.3g})"
        what = f"{rate.work} ({rate.shape})" if rate.shape else rate.work
        yield f"  {rate.hardware} {what}: {bounds}; {rate.basis}: {rate.how}"
    data = [facts.data_of(job) for job in plan.kind("latents")]
    if unknown := sorted({job.name for job in data if not facts.counts(job).train}):
        yield f"Not counted: the pictures of {', '.join(unknown)}, whose number is not known before its data phase."


@dataclass(frozen=True)
class Cost:
    """What a missing job costs: seconds (middle, least, most) on a GPU if it is given one, and here; bytes of disk."""

    phase: str
    on_gpu: tuple[float, float, float] | None
    here: tuple[float, float, float]
    disk: float


def table(plan: Plan) -> Iterator[str]:
    """Jobs, hours and disk of every phase and in all, a row each."""
    gpu, here, cores = rates.gpu(), hardware_here(), machine.cores()
    yield COLUMNS.format("phase", "jobs", "made", f"to do on one {gpu}", f"here: {here}, {cores} cores", "disk")
    costs = [
        Cost(
            job.phase,
            cost.seconds(job, gpu) if cost.uses_gpu(job) else None,
            cost.seconds(job, here),
            cost.disk(job),
        )
        for job in plan.missing()
    ]
    for phase in dict.fromkeys(phase for phase, _ in PHASES.values()):
        yield row(phase, len(plan.phase(phase)), [one for one in costs if one.phase == phase], cores)
    yield row("in all", len(plan.jobs), costs, cores)


def row(title: str, jobs: int, missing: list[Cost], cores: int) -> str:
    """A line of the table: jobs, how many are made, and what the missing ones cost."""
    gpu = total([one.on_gpu for one in missing if one.on_gpu])
    mine = total([one.here for one in missing], cores)
    return COLUMNS.format(title, jobs, jobs - len(missing), gpu, mine, size(sum(one.disk for one in missing)))


def total(seconds: list[tuple[float, float, float]], devices: int = 1) -> str:
    """Middle, least and most seconds of jobs shared by so many devices; no less than the longest job's."""
    if not seconds:
        return "-"
    middle, least, most = (duration(max(sum(part) / devices, *part)) for part in zip(*seconds, strict=True))
    return f"{middle} ({least} to {most})"


def rates_used(jobs: list[Job], here: str) -> set[Rate]:
    """Rates behind the hours of some jobs."""
    found, gpu = set(), rates.gpu()
    for job in jobs:
        for hardware in (here, gpu) if cost.uses_gpu(job) else (here,):
            found |= {rates.find(hardware, kind, cost.shape(job, kind)) for kind, n in work.amounts(job).items() if n}
    return found


def check_disk(plan: Plan, rows: set[str]) -> str:
    """One line: the bytes that the study still adds, and that they fit.

    Args:
        rows: names of the sources that it reads; an archive not yet here is counted twice, packed and unpacked.

    Raises:
        ValueError: they do not fit.
    """
    missing = plan.missing()
    artifacts = sum(map(cost.disk, missing))
    state = max(map(cost.state, missing), default=0.0)
    wanted = [source for source in map(sources.find, sorted(rows)) if not source.place.exists()]
    archives = sum(2 * source.bytes for source in wanted)
    free = shutil.disk_usage(".").free
    summary = (
        f"Disk: {size(artifacts + state + archives)} to add (artifacts {size(artifacts)}, a job's state {size(state)}, "
        f"archives, packed and unpacked, {size(archives)}); {size(free)} free at {Path.cwd()}"
    )
    unknown = [source.name for source in wanted if not source.bytes]
    summary += f"; of unknown size and not counted: {', '.join(unknown)}" if unknown else ""
    if artifacts + state + archives > free:
        raise ValueError(f"{summary}. The study does not fit: use a larger disk, fewer seeds, methods or pictures.")
    return summary


def reason(job: Job) -> str:
    """Why a missing job runs: what differs from the published artifact of the same name that is most like it."""
    differences = [difference(job, provenance) for provenance in siblings(job)]
    return min(differences, key=len) if differences else "new"


def siblings(job: Job) -> Iterator[dict[str, Any]]:
    """Provenance of published artifacts with the job's name and another digest."""
    folder, stem = (job.path, "provenance-") if job.kind == "report" else (job.path.parent, job.path.name[:-8])
    for name in names_in(os.path.abspath(folder)):
        if name.startswith(stem) and len(name.removeprefix(stem).removesuffix(".json")) == 8:
            path = folder / name if job.kind == "report" else folder / name / "provenance.json"
            if path.exists():
                yield readers.content(path)


@lru_cache(maxsize=256)
def names_in(folder: str) -> list[str]:
    """Names in a folder, none if it is missing."""
    return os.listdir(folder) if os.path.isdir(folder) else []


def difference(job: Job, provenance: dict[str, Any]) -> str:
    """What sets a job apart from a published artifact, in a few words."""
    before, after = flat(provenance["settings"]), flat(json.loads(json.dumps(job.settings)))
    changed = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
    if changed:
        return ", ".join(f"{key} {before.get(key, 'unset')} -> {after.get(key, 'unset')}" for key in changed)
    renewed = [
        str(source.path)
        for role, source in job.inputs.items()
        if provenance["inputs"].get(role, {}).get("digest") != source.digest
    ]
    return f"built on {', '.join(renewed)}" if renewed else f"the recipe of {job.kind} was raised"


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key."""
    items: dict[str, Any] = {}
    for key, value in settings.items():
        items |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return items


def hardware_here() -> str:
    """This machine's row in the table of rates, as if it had no GPU."""
    flags = machine.cpuinfo().split()
    return next((kind for flag, kind in CPU_KINDS.items() if flag in flags), "cpu")
