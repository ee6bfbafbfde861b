"""What is known of a job from its settings and from published counts: nothing is opened or run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from finefit import datasets, judges, methods, objectives
from finefit.codecs import CODECS, Facts
from finefit.jobs.job import Job
from finefit.models.shapes import Shape

FROZEN_SHARE = 0.03  # trained by methods that freeze the base, at most; the class table is counted apart


@dataclass(frozen=True)
class Counts:
    """Size of a data set."""

    classes: int
    train: int
    test: int


@lru_cache(maxsize=64)
def counts(data: Job) -> Counts:
    """Classes and pictures of a data set: from its settings where they decide, else as published; 0 where unknown."""
    reader, most = datasets.find(data.settings["reader"]), data.settings.get("trial", float("inf"))
    published = getattr(reader, "PUBLISHED", None)
    classes, train, test = (published.classes, published.train, published.test) if published else (0, 0, 0)
    if hasattr(reader, "counts"):
        classes, train, test = reader.counts(reader.Settings(**data.full["options"]))
    return Counts(classes, int(min(train, most)), int(min(test, most)))


def pictures_of(sample: Job) -> int:
    """How many pictures a "sample" job makes."""
    return min(counts(data_of(sample)).classes * sample.settings["per_class"], sample.settings.get("trial", 10**12))


def of_judge(judging: Job) -> judges.Facts:
    """What is known of the network of a "judge" job."""
    name = judging.settings["judge"]
    return judges.find(name).facts(name, judging.settings["resolution"])


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
