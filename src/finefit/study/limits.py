"""What can be known of a study's numbers before anything is computed, and would else be found out at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from finefit import processes
from finefit.codecs import CODECS
from finefit.data.sources import find
from finefit.hierarchy import taxonomy_file
from finefit.models import about
from finefit.models.shapes import SIZES

if TYPE_CHECKING:
    from finefit.study.sections import BaseSettings, CodecSettings, SampleSettings, UtilitySettings

LEAST_DERIVED = 4  # classes that superclasses are derived from


def base(settings: BaseSettings) -> Iterator[str]:
    """Faults of a base, each beginning with its key; weights of another process than it names are one."""
    if settings.size not in SIZES:
        yield f"size: {settings.size!r} is none of {', '.join(SIZES)}"
    try:
        where = "weights"
        file = find(settings.weights).place if settings.weights else None
        where = "process"
        processes.find(settings.process)
        if file and file.exists():
            about.check_process(file, settings.model_dump())
    except ValueError as error:
        yield f"{where}: {error}"


def null_row(what: str, settings: BaseSettings) -> None:
    """Raise ValueError where a base cannot be asked without a class, which `what` needs."""
    if settings.weights is None:
        raise ValueError(f"{what}: this study starts from scratch; leave it out, or give base.weights")
    if settings.weights_process:
        raise ValueError(f"{what}: this study's base was trained by another process; leave it out")
    file, row_of_study = find(settings.weights).place, settings.null_row
    told = about.about(file).get("null_row", row_of_study) if file.exists() else row_of_study
    if told in (None, "none"):
        raise ValueError(f"{what}: {settings.weights} was trained without a null row; leave it out")


def refuse(faults: Iterable[str]) -> None:
    """Raise ValueError with faults, where there are any."""
    if found := list(faults):
        raise ValueError("; ".join(found))


def sample(settings: SampleSettings, codec: CodecSettings | None, base: BaseSettings | None) -> Iterator[str]:
    """Faults of the way pictures are sampled, each beginning with its key."""
    yield from sampler(settings, base) if base else ()
    channels = CODECS[codec.name].channels if codec and codec.name in CODECS else settings.guided_channels
    if settings.guided_channels > channels:
        yield f"guided_channels: {settings.guided_channels} of {channels} channels of a latent: use {channels} at most"
    low, high = settings.guidance_interval
    if low > high:
        yield f"guidance_interval: [{low}, {high}] is empty: give the smaller timestep first"


def sampler(settings: SampleSettings, base: BaseSettings) -> Iterator[str]:
    """Faults of what a sampler of a base's process is asked for; none where there is no such process."""
    if base.process not in processes.names():
        return
    process = processes.find(base.process)
    found = process.SAMPLERS.get(settings.sampler)
    if found is None:
        yield f"sampler: {settings.sampler!r} is none of {', '.join(process.SAMPLERS)}, those of the base's process"
        return
    if not found.least <= settings.steps <= found.most:
        yield f"steps: {settings.steps} steps of {settings.sampler}: use {found.least} to {found.most}"
    if settings.evaluate_every > 1 and found.evaluations > 1:
        yield (
            f"evaluate_every: {settings.sampler} evaluates the network {found.evaluations} times a step, which no line "
            "goes through; use another sampler, or leave it out"
        )


def utility(settings: UtilitySettings, name: str, counts: tuple[int, int, int]) -> Iterator[str]:
    """The fault of too few samples for what a classifier is trained on, beginning with its key.

    Args:
        settings: what is asked.
        name: of the data set.
        counts: its classes, training pictures and test pictures.
    """
    classes, train, _ = counts
    most = -(-train // classes) * max(settings.ratios)  # of the mean class, where classes differ
    if settings.per_class < most:
        yield (
            f"per_class: {settings.per_class} samples of a class: {max(settings.ratios)} for each training picture of "
            f"{name} are {most} or more; raise it, or lower the largest of ratios"
        )


def data(reader: ModuleType, settings: Any, hierarchy: dict[str, Any]) -> Iterator[str]:
    """Faults of a data set whose pictures are known before its index is made.

    Args:
        reader: a module of `finefit.datasets`.
        settings: its settings.
        hierarchy: settings of the job that makes its superclasses.
    """
    yield from reader.faults(settings) if hasattr(reader, "faults") else ()
    if not hasattr(reader, "counts"):
        return
    classes, _, _ = reader.counts(settings)
    if hierarchy["superclass"] == "derived" and classes < LEAST_DERIVED:
        yield (
            f"superclasses are derived for {LEAST_DERIVED} classes or more; there are {classes}: give a taxonomy, or "
            "two levels of folders"
        )
    elif hierarchy["superclass"] == "derived" and hasattr(reader, "distinct") and reader.distinct(settings) < 2:
        yield (
            f"superclasses are derived from pictures, but all {classes} classes hold the same: put other pictures into "
            "them, or give a taxonomy"
        )
    if "taxonomy" in hierarchy:
        path, wanted = Path(hierarchy["taxonomy"]["path"]), hierarchy["superclass"]
        rank = "superclass" if wanted == "source" else wanted
        try:
            taxonomy_file.superclasses(path, rank, reader.taxonomy(settings, None)["class_name"])
        except ValueError as error:
            yield from str(error).splitlines()
