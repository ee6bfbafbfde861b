"""What a job costs: its work in countable units, the rates at which hardware does it, and its disk.

Work is arithmetic on settings and published counts, so nothing is opened or run. Rates are those of data/rates.csv, of
which each says whether it was measured; what a rehearsal measured here (`MEASURED`), by hardware and shape of the work,
comes before them. Training is counted as three forward passes, two where the method leaves the base's weights frozen,
and one more where activations are recomputed, and what an objective adds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from finefit import datasets, judges, methods, objectives
from finefit.codecs import CODECS, Facts
from finefit.data import sources, tables
from finefit.jobs.job import Job
from finefit.models.shapes import Shape
from finefit.study.passes import evaluations, passes

TABLE, MEASURED = Path("data/rates.csv"), Path("data/rates-here.csv")
GPU = "a100"  # what GPU hours are counted on where no rehearsal ran on another
# Always on a GPU; of the others those whose networks are large.
GPU_KINDS = {"latents", "source", "finetune", "sample", "denoise"}
PROBE_STEP_PIXELS = 64 * 3 * 2  # pictures of a step, forward and backward, of both networks that judge
JUDGED, JUDGED_PICTURES = 40, 1024  # sets of pictures, unharmed and harmed, that a judge is judged by; of each at most
COMPARED = 20_000  # pictures of a set at most that are compared with all of another
HEAD_PICTURES, HEAD_STEPS = 50_000, 300  # that a judge's head is fitted to, at most
SHOWN = 16_384  # real pictures that are kept for the report, at most
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
    shape: str = ""  # of the work, where the rate was measured on just that


@dataclass(frozen=True)
class Counts:
    """Size of a data set."""

    classes: int
    train: int
    test: int


@lru_cache(maxsize=1)
def rates() -> dict[tuple[str, str, str], Rate]:
    """Both tables by hardware, work and shape; the shape is empty in the one that is part of the project."""
    rows = read_rates(TABLE) + (read_rates(MEASURED) if MEASURED.exists() else [])
    return {(row.hardware, row.work, row.shape): row for row in rows}


def read_rates(file: Path) -> list[Rate]:
    """The rows of one table.

    Raises:
        ValueError: it is damaged, or a rate is not above 0; the message says where.
    """
    columns = [field.name for field in fields(Rate) if field.name != "shape" or file == MEASURED]
    found, rows = tables.read(file, tuple(columns)), []
    for line, row in zip(found.lines, found.rows, strict=True):
        numbers = {key: tables.number(row[key], float, f"{file}:{line}: {key}") for key in ("rate", "low", "high")}
        if not min(numbers.values()) > 0:
            raise ValueError(f"{file}:{line}: rates are numbers above 0; found {numbers}")
        rows.append(Rate(**row | numbers))
    return rows


def gpu() -> str:
    """The GPU that hours are counted on: the one that a rehearsal ran on here last, else `GPU`."""
    measured = [row.hardware for row in rates().values() if row.shape and not row.hardware.startswith("cpu")]
    return measured[-1] if measured else GPU


def rate(hardware: str, work: str, shape: str = "") -> Rate:
    """The row for some work: as measured on its shape, else of the hardware (`GPU`'s for any GPU), else a CPU's.

    Raises:
        ValueError: the table has none of these.
    """
    known, kind = rates(), hardware if hardware.startswith("cpu") else GPU
    for place in ((hardware, work, shape), (kind, work, ""), ("cpu", work, "")):
        if place in known:
            return known[place]
    raise ValueError(f"{TABLE}: no row for hardware 'cpu', work {work!r}; restore it (git checkout {TABLE})")


@lru_cache(maxsize=64)
def counts(data: Job) -> Counts:
    """Classes and pictures of a data set: from its settings where they decide, else as published; 0 where unknown."""
    reader, most = datasets.find(data.settings["reader"]), data.settings.get("trial", float("inf"))
    published = getattr(reader, "PUBLISHED", None)
    classes, train, test = (published.classes, published.train, published.test) if published else (0, 0, 0)
    if hasattr(reader, "counts"):
        classes, train, test = reader.counts(reader.Settings(**data.settings["options"]))
    return Counts(classes, int(min(train, most)), int(min(test, most)))


def work(job: Job) -> dict[str, float]:
    """Amounts of each kind of work that a job does."""
    settings, amounts = job.settings, {"start": 1.0}
    size = counts(data_of(job)) if job.kind not in ("base", "source", "report") else None
    if job.kind == "latents":
        encode = codec_of(job).encode * settings["resolution"] ** 2
        amounts |= {"read": size.train, "codec": 2 * size.train * encode}
    elif job.kind == "source":
        amounts["sample"] = settings["pictures"] * settings["steps"] * shape_of(job).forward_operations
    elif job.kind == "finetune":
        amounts["train"] = step_operations(job) * settings["train"]["steps"]
    elif job.kind == "sample":
        pictures = pictures_of(job)
        asked = passes(settings) * evaluations(settings)
        amounts["sample"] = pictures * asked * shape_of(job.inputs["run"]).forward_operations
        amounts["codec"] = pictures * codec_of(job).decode * resolution(job) ** 2
    elif job.kind == "denoise":
        pictures = min(size.test, size.classes * settings["denoising_per_class"])
        run = job.inputs.get("run", job)  # the base's has its own inputs
        encode = codec_of(run.inputs["latents"]).encode * resolution(job) ** 2
        amounts |= {"read": pictures, "codec": pictures * encode}
        asked = pictures + 2 * settings.get("drift_pictures", 0)
        amounts["sample"] = asked * settings["denoising_timesteps"] * shape_of(run).forward_operations
    elif job.kind == "reference":
        pixels, codec = settings["resolution"] ** 2, codec_of(job)
        probe = settings["probe_steps"] * PROBE_STEP_PIXELS
        amounts |= {"read": size.train + size.test, "judge": (probe + 4 * size.test) * pixels}
        amounts["codec"] = size.test * (codec.encode + codec.decode) * pixels
    elif job.kind == "judge":
        looked_at = JUDGED * min(size.classes * settings["per_class"], size.test // 2, JUDGED_PICTURES)
        amounts["read"] = size.train + size.test
        amounts |= seen(job, size.train + size.test + looked_at)
        width = facts_of(job).width
        amounts["compare"] = (min(size.test, COMPARED) + looked_at) * size.train * width
        amounts["network"] += 4 * min(size.train, HEAD_PICTURES) * size.classes * width * HEAD_STEPS
    elif job.kind == "utility":
        sets = 1 + len(settings["ratios"]) if "sample" in job.inputs else 1
        steps = sets * settings["classifiers"] * settings["steps"]
        pixels = settings["resolution"] ** 2
        amounts |= {"read": size.train + size.test, "judge": steps * PROBE_STEP_PIXELS / 2 * pixels}
    elif job.kind == "evaluate":
        pictures = pictures_of(job.inputs["sample"])
        amounts |= {"judge": 2 * pictures * resolution(job) ** 2, "network": 0.0, "compare": 0.0}
        for judging in judges_of(job):
            amounts["network"] += seen(judging, pictures)["network"]
            pairs = 1.5 * 6 * min(pictures, size.test, COMPARED) ** 2  # six tables of distances; of halves a quarter
            amounts["compare"] += (pairs + min(pictures, COMPARED) * size.train) * facts_of(judging).width
    return amounts


def step_operations(run: Job) -> float:
    """Operations of one step of a run's training."""
    train = run.settings["train"]
    passes = (3 if trains_all(run) else 2) + train["recompute"] + objective_of(run).passes
    return passes * shape_of(run).forward_operations * train["batch_size"]


def pictures_of(sample: Job) -> int:
    """How many pictures a "sample" job makes."""
    return min(counts(data_of(sample)).classes * sample.settings["per_class"], sample.settings.get("trial", 10**12))


def seen(judging: Job, pictures: float) -> dict[str, float]:
    """The work of seeing so many pictures with a judge: pixels of the study's own, operations of another's network."""
    own = "weights" not in judging.settings
    return {
        "judge": pictures * resolution(judging) ** 2 if own else 0.0,
        "network": pictures * facts_of(judging).operations,
    }


def facts_of(judging: Job) -> judges.Facts:
    """What is known of the network of a "judge" job."""
    name = judging.settings["judge"]
    return judges.find(name).facts(name)


def judges_of(evaluation: Job) -> list[Job]:
    """The "judge" jobs that an "evaluate" job builds on."""
    return [source for source in evaluation.inputs.values() if source.kind == "judge"]


def uses_gpu(job: Job) -> bool:
    """Whether a job is given a GPU: those that train and sample, and scores by large networks or through a large codec.

    The small networks of a small study are as well off on a CPU.
    """
    if job.kind == "judge":
        return facts_of(job).operations > 0
    return job.kind in GPU_KINDS or any(work(job).get(kind) for kind in ("codec", "network"))


def shape(job: Job, kind: str) -> str:
    """The shape of some work of a job, by which measured rates are known."""
    if kind == "train":
        return f"{shape_of(job).name}, {job.settings['method']}"
    if kind == "sample":
        return shape_of(job.inputs.get("run", job)).name
    if kind == "codec":
        return f"{encoded(job).settings['codec']['name']} at {resolution(job)} pixels"
    if kind == "network":
        names = [one.settings["judge"] for one in ([job] if job.kind == "judge" else judges_of(job))]
        return ", ".join(name for name in names if judges.find(name).facts(name).operations)
    if kind in ("read", "judge"):
        return f"at {resolution(job)} pixels"
    return "any"


def seconds(job: Job, hardware: str) -> tuple[float, float, float]:
    """Seconds that a job takes on one device of some hardware: as the rates say, at least, at most."""
    used = [(amount, rate(hardware, kind, shape(job, kind))) for kind, amount in work(job).items() if amount]
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
    if job.kind == "source":
        shape = shape_of(job)
        return 2 * settings["pictures"] * shape.latent_channels * shape.latent_size**2
    if job.kind == "sample":
        return pictures_of(job) * 3 * resolution(job) ** 2
    if job.kind == "judge":
        size = counts(data_of(job))
        return 4 * facts_of(job).width * (size.train + size.test) + 8 * facts_of(job).width * size.classes
    if job.kind == "reference":
        return min(8 * counts(data_of(job)).classes, SHOWN) * 3 * resolution(job) ** 2
    return 1e6  # tables, small networks, a page


def state(job: Job) -> float:
    """Bytes that a job keeps in scratch while it runs: weights, average and two moments, and the next such state."""
    return 2 * 4 * 4 * trained(job) if job.kind == "finetune" else 0.0


def trained(run: Job) -> float:
    """Parameters that a run trains, rounded up: the network or `FROZEN_SHARE` of it, and a row for every class."""
    shape = shape_of(run)
    share = 1.0 if trains_all(run) else FROZEN_SHARE
    return share * shape.block_parameters + counts(data_of(run)).classes * shape.width


def trains_all(run: Job) -> bool:
    """Whether the run's method trains the base's weights."""
    return getattr(methods.find(run.settings["method"]), "TRAINS_ALL", False)


def objective_of(run: Job) -> objectives.ObjectiveSettings:
    """What a run is trained by."""
    asked = run.settings.get("objective", {"name": "plain"})
    settings = {key: value for key, value in asked.items() if key != "name"}
    return objectives.find(asked["name"]).Settings(**settings)


def shape_of(job: Job) -> Shape:
    """The network that a run trains, or that of a base which is asked by itself."""
    encoding = job.inputs.get("latents", job)
    network = job.settings.get("network") or job.inputs["base"].settings
    codec = codec_of(encoding)
    side = encoding.settings["resolution"] // codec.factor
    return Shape(network["size"], network["patch"], side, codec.channels)


def base_shape(base: Job) -> Shape:
    """The network that a "base" job checks; the side of its latents says nothing of its size."""
    return Shape(base.settings["size"], base.settings["patch"], base.settings["patch"])


def encoded(job: Job) -> Job:
    """The job whose settings name the codec that a job uses."""
    return job if "codec" in job.settings else job.inputs.get("run", job).inputs["latents"]


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
