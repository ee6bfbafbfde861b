"""What a job costs: its work in countable units, the rates of data/rates.csv at which hardware does it, and its disk.

Work is arithmetic on settings and published counts, so nothing is opened or run; a rate that nobody measured says so in
the table. Training is counted as three forward passes, two where the method leaves the base's weights frozen, and one
more where activations are recomputed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from finefit import datasets, methods
from finefit.codecs import CODECS, Facts
from finefit.data import sources, tables
from finefit.data.pictures import IN_MEMORY
from finefit.jobs.job import Job
from finefit.models.shapes import Shape

TABLE = Path("data/rates.csv")
GPU = "a100"  # what GPU hours are counted on
GPU_KINDS = {"latents", "finetune", "sample", "denoise"}  # scores and pictures are computed on the CPU
PROBE_STEP_PIXELS = 64 * 3 * 2  # pictures of a step, forward and backward, of both networks that judge
JUDGED = 40  # sets of pictures as large as a set of samples, unharmed and harmed, that a judge is judged by
FROZEN_SHARE = 0.03  # trained by methods that freeze the base, at most; the class table is counted apart


@dataclass(frozen=True)
class Rate:
    """How fast some hardware does some work, with bounds; `basis` is "measured" or "estimated", and `how` says how."""

    hardware: str
    work: str
    unit: str
    rate: float
    low: float
    high: float
    basis: str
    how: str


@dataclass(frozen=True)
class Counts:
    """Size of a data set."""

    classes: int
    train: int
    test: int


@lru_cache(maxsize=1)
def rates() -> dict[tuple[str, str], Rate]:
    """The table by hardware and work.

    Raises:
        ValueError: the table is damaged, or a rate is not above 0.
    """
    found, rows = tables.read(TABLE, tuple(field.name for field in fields(Rate))), []
    for line, row in zip(found.lines, found.rows, strict=True):
        numbers = {key: tables.number(row[key], float, f"{TABLE}:{line}: {key}") for key in ("rate", "low", "high")}
        if not min(numbers.values()) > 0:
            raise ValueError(f"{TABLE}:{line}: rates are numbers above 0; found {numbers}")
        rows.append(Rate(**row | numbers))
    return {(row.hardware, row.work): row for row in rows}


def rate(hardware: str, work: str) -> Rate:
    """The row for some work, a CPU's where the hardware has none of its own: reading and judging stay there."""
    found = rates().get((hardware, work)) or rates().get(("cpu", work))
    if found is None:
        raise ValueError(f"{TABLE}: no row for hardware 'cpu', work {work!r}; restore it (git checkout {TABLE})")
    return found


@lru_cache(maxsize=64)
def counts(data: Job) -> Counts:
    """Classes and pictures of a data set: from its settings where they decide, else as published; 0 where unknown."""
    reader = datasets.find(data.settings["reader"])
    if hasattr(reader, "counts"):
        return Counts(*reader.counts(reader.Settings(**data.settings["options"])))
    published = getattr(reader, "PUBLISHED", None)
    return Counts(published.classes, published.train, published.test) if published else Counts(0, 0, 0)


def work(job: Job) -> dict[str, float]:
    """Amounts of each kind of work that a job does."""
    settings, amounts = job.settings, {"start": 1.0}
    size = counts(data_of(job)) if job.kind not in ("base", "report") else None
    if job.kind == "latents":
        encode = codec_of(job).encode * settings["resolution"] ** 2
        amounts |= {"read": size.train, "codec": 2 * size.train * encode}
    elif job.kind == "finetune":
        passes = (3 if trains_all(job) else 2) + settings["train"]["recompute"]
        amounts["train"] = (
            passes * shape_of(job).forward_operations * settings["train"]["batch_size"] * settings["train"]["steps"]
        )
    elif job.kind == "sample":
        pictures, passes = size.classes * settings["per_class"], 1 if settings["guidance"] == "none" else 2
        forward = shape_of(job.inputs["run"]).forward_operations
        amounts["sample"] = pictures * passes * settings["steps"] * forward
        amounts["codec"] = pictures * codec_of(job).decode * resolution(job) ** 2
    elif job.kind == "denoise":
        pictures = min(size.test, size.classes * settings["denoising_per_class"])
        run = job.inputs.get("run", job)  # the base's has its own inputs
        encode = codec_of(run.inputs["latents"]).encode * resolution(job) ** 2
        amounts |= {"read": pictures, "codec": pictures * encode}
        amounts["sample"] = pictures * settings["denoising_timesteps"] * shape_of(run).forward_operations
    elif job.kind == "reference":
        pixels = settings["resolution"] ** 2
        probe = settings["probe_steps"] * PROBE_STEP_PIXELS
        amounts |= {"read": size.train + size.test, "judge": (probe + 4 * size.test) * pixels}
    elif job.kind == "judge":
        amounts["read"] = size.train + size.test
        if "weights" not in settings:  # of networks from outside only the reading is counted
            pictures = size.train + size.test + JUDGED * size.classes * settings["per_class"]
            amounts["judge"] = pictures * settings["resolution"] ** 2
    elif job.kind == "utility":
        sets = 1 + len(settings["ratios"]) if "sample" in job.inputs else 1
        steps = sets * settings["classifiers"] * settings["steps"]
        pixels = settings["resolution"] ** 2
        amounts |= {"read": size.train + size.test, "judge": steps * PROBE_STEP_PIXELS / 2 * pixels}
    elif job.kind == "evaluate":
        pictures = size.classes * job.inputs["sample"].settings["per_class"]
        amounts["judge"] = 2 * pictures * resolution(job) ** 2
    return amounts


def seconds(job: Job, hardware: str) -> tuple[float, float, float]:
    """Seconds that a job takes on one device of some hardware: as the rates say, at least, at most."""
    used = [(amount, rate(hardware, kind)) for kind, amount in work(job).items() if amount]
    return (
        sum(amount / row.rate for amount, row in used),
        sum(amount / row.high for amount, row in used),
        sum(amount / row.low for amount, row in used),
    )


def disk(job: Job) -> float:
    """Bytes of a job's artifact, rounded up where the method decides."""
    settings = job.settings
    if job.kind == "base":
        return sources.find(settings["weights"]["name"]).bytes
    if job.kind == "latents":
        codec = codec_of(job)
        side = settings["resolution"] // codec.factor
        return 2 * 2 * counts(data_of(job)).train * codec.values * codec.channels * side**2  # flips, half precision
    if job.kind == "finetune":
        return 2 * 4 * trained(job)  # averaged and last delta, single precision
    if job.kind == "sample":
        return counts(data_of(job)).classes * settings["per_class"] * 3 * resolution(job) ** 2
    return 1e6  # tables, small networks, a page


def state(job: Job) -> float:
    """Bytes that a job keeps in scratch while it runs.

    Of training weights, average and two moments, and the next such state; of judging, pictures beyond memory.
    """
    if job.kind == "finetune":
        return 2 * 4 * 4 * trained(job)
    if job.kind not in ("reference", "judge", "utility"):
        return 0.0
    size, each = counts(data_of(job)), 3 * resolution(job) ** 2
    kept = [size.train, size.test] + [size.test] * (job.kind == "reference")  # which the codec decodes
    return sum(each * count for count in kept if each * count > IN_MEMORY)


def trained(run: Job) -> float:
    """Parameters that a run trains, rounded up: the network or `FROZEN_SHARE` of it, and a row for every class."""
    shape = shape_of(run)
    share = 1.0 if trains_all(run) else FROZEN_SHARE
    return share * shape.block_parameters + counts(data_of(run)).classes * shape.width


def trains_all(run: Job) -> bool:
    """Whether the run's method trains the base's weights."""
    return getattr(methods.find(run.settings["method"]), "TRAINS_ALL", False)


def shape_of(run: Job) -> Shape:
    """The network that a run trains."""
    latents, network = run.inputs["latents"].settings, run.settings.get("network") or run.inputs["base"].settings
    return Shape(network["size"], network["patch"], latents["resolution"] // codec_of(run.inputs["latents"]).factor)


def codec_of(job: Job) -> Facts:
    """Facts of the codec that a job's settings name."""
    return CODECS[job.settings["codec"]["name"]]


def data_of(job: Job) -> Job:
    """The "data" job that a job goes back to."""
    while job.kind != "data":
        job = job.inputs[next(role for role in ("data", "latents", "run", "sample") if role in job.inputs)]
    return job


def resolution(job: Job) -> int:
    """Side in pixels of the pictures that a job makes or judges."""
    while "resolution" not in job.settings:
        job = job.inputs[next(role for role in ("latents", "run", "sample") if role in job.inputs)]
    return job.settings["resolution"]
