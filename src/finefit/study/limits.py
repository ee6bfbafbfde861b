"""What can be known of a study's numbers before anything is computed, and would else be found out at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from finefit.codecs import CODECS
from finefit.hierarchy import taxonomy_file

if TYPE_CHECKING:
    from finefit.processes import Process
    from finefit.study.sections import CodecSettings, SampleSettings, UtilitySettings

LEAST_DERIVED = 4  # classes that superclasses are derived from


def sample(settings: SampleSettings, codec: CodecSettings | None, process: Process | None) -> Iterator[str]:
    """Faults of the way pictures are sampled, each beginning with its key."""
    yield from sampler(settings, process) if process else ()
    channels = CODECS[codec.name].channels if codec and codec.name in CODECS else settings.guided_channels
    if settings.guided_channels > channels:
        yield f"guided_channels: {settings.guided_channels} of {channels} channels of a latent: use {channels} at most"
    low, high = settings.guidance_interval
    if low > high:
        yield f"guidance_interval: [{low}, {high}] is empty: give the smaller timestep first"


def sampler(settings: SampleSettings, process: Process) -> Iterator[str]:
    """Faults of what a process's sampler is asked for."""
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
