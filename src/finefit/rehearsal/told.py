"""What a rehearsal found, as a table and as rates that `finefit plan` goes by from then on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finefit.jobs.job import Job
from finefit.jobs.quantities import plural, size
from finefit.outlook import cost, facts, forecast, work
from finefit.outlook.rates import Rate
from finefit.rehearsal.run import LOST, Outcome

ROW = "{:<10} {:<44} {:<34} {:>8} {:>8} {:>8} {:>8}"
HEAD = ("kind", "job", "seconds per unit", "in all", "memory", "on GPU", "written")
UNITS = {"train": "FLOP/s", "sample": "FLOP/s", "codec": "FLOP/s", "network": "FLOP/s", "read": "pictures/s"}
ONE = {  # what a loop or a part of a job goes through, in the singular
    "training steps": "step",
    "denoising passes": "pass",
    "pictures decoded": "decoding",
    "pictures encoded": "encoding",
    "pictures encoded and decoded": "coding both ways",
    "pictures read": "reading",
    "pictures seen": "seeing",
}


def table(found: list[Outcome], folder: Path) -> Iterator[str]:
    """A line for every job: what a unit of its work took, the most memory it held, what it wrote."""
    yield ROW.format(*HEAD)
    for one in found:
        if one.made is None:
            yield ROW.format(one.job.kind, short(one.job), one.reason[:80], "", "", "", "").rstrip()
            continue
        written = sum(file.stat().st_size for file in (folder / one.job.path).rglob("*") if file.is_file())
        gpu = one.made.get("gpu_peak_bytes", 0)
        yield ROW.format(
            one.job.kind,
            short(one.job),
            "; ".join(per_unit(one.made))[:34],
            f"{one.made['seconds']:.0f} s",
            size(one.made["peak_bytes"]),
            size(gpu) if gpu else "-",
            size(written),
        )


def short(job: Job) -> str:
    """A job's name without its digest, cut to the table's width."""
    return job.name[-44:]


def per_unit(made: dict[str, Any]) -> Iterator[str]:
    """Seconds of each part that is measured."""
    for what, one in ONE.items():
        if (part := made["parts"].get(what)) and part["amount"]:
            yield f"{seconds(part, made) / part['amount']:.3g} s a {one}"


def seconds(part: dict[str, float], made: dict[str, Any]) -> float:
    """What a part took: by the clock on a GPU; else the processor's time, which other work does not stretch."""
    return part["processor_seconds" if made["hardware"]["gpu"] == "none" else "seconds"]


def failures(found: list[Outcome]) -> Iterator[str]:
    """Why jobs were not made; those that lack nothing but another's artifact are counted."""
    reasons = [(one.job, one.reason) for one in found if one.reason]
    follow = sum(reason.endswith(LOST) for _, reason in reasons)
    yield from (f"{job.kind} {job.name}: {reason}" for job, reason in reasons if not reason.endswith(LOST))
    if follow:
        yield f"{plural(follow, 'more job')} that would have read what was not made"


def exceeding(found: list[Outcome]) -> Iterator[str]:
    """Jobs that held more memory than is counted for them: what a scheduler would have killed."""
    for one in found:
        if one.made and one.made["peak_bytes"] > one.counted:
            took, counted = size(one.made["peak_bytes"]), size(one.counted)
            yield f"{one.job.kind} {one.job.name}: held {took}, more than the {counted} that are counted for it"


def measured(found: list[Outcome]) -> list[Rate]:
    """The rates that the parts of jobs ran at, one for each kind of work and shape."""
    times: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for one in found:
        for kind, amount, took in amounts(one.job, one.made) if one.made else ():
            key = hardware(one.made["hardware"]), kind, cost.shape(one.job, kind)
            times.setdefault(key, []).append((amount, took))
    rows = []
    for (machine, kind, shape), parts in times.items():
        each = [amount / took for amount, took in parts]
        middle = sum(amount for amount, _ in parts) / sum(took for _, took in parts)
        how = f"rehearsed on this machine, {plural(len(parts), 'job')}"
        rows.append(Rate(machine, kind, UNITS[kind], middle, min(each), max(each), "measured", how, shape))
    return rows


def amounts(job: Job, made: dict[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Kind of work, amount in its unit and seconds of every measured part of a job."""
    codec = {"pictures encoded": 0.0, "pictures decoded": 0.0, "pictures encoded and decoded": 0.0}
    if job.kind in ("latents", "sample", "reference"):
        coding, pixels = facts.codec_of(job), facts.resolution(job) ** 2
        codec = {
            "pictures encoded": coding.encode * pixels,
            "pictures decoded": coding.decode * pixels,
            "pictures encoded and decoded": (coding.encode + coding.decode) * pixels,
        }
    operations = {name: ("codec", each) for name, each in codec.items()}
    if job.kind == "finetune":
        operations["training steps"] = ("train", work.step_operations(job))
    if job.kind in ("source", "sample", "denoise"):
        operations["denoising passes"] = ("sample", facts.shape_of(job.inputs.get("run", job)).forward_operations)
    if job.kind == "judge":
        operations["pictures seen"] = ("network", facts.of_judge(job).operations)
    if job.kind == "latents":
        operations["pictures read"] = ("read", 1.0)
    for what, (kind, each) in operations.items():
        part = made["parts"].get(what)
        if part and (took := seconds(part, made)) > 0 and each * part["amount"] > 0:
            yield kind, each * part["amount"], took


def hardware(machine: dict[str, Any]) -> str:
    """The machine's kind as tables of rates call it: a GPU's name, or the kind of this machine's processor."""
    if machine["gpu"] == "none":
        return forecast.hardware_here()
    return re.sub(r"[^a-z0-9]+", "-", str(machine["gpu"]).lower()).strip("-")
