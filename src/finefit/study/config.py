"""A study: its sections together, and what none of them can check by itself. Importing it imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import (
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from finefit import datasets, judges, methods, objectives, processes
from finefit.codecs import CODECS
from finefit.data.names import nearest
from finefit.data.sources import TABLE, find, table
from finefit.hierarchy import taxonomy_file
from finefit.jobs.checksums import checksum
from finefit.methods import MethodSettings
from finefit.models import about
from finefit.models.shapes import SIZES
from finefit.objectives import ObjectiveSettings
from finefit.study import limits, sweeps
from finefit.study.sections import (
    BaseSettings,
    CodecSettings,
    DataSettings,
    EvaluateSettings,
    Name,
    SampleSettings,
    Seed,
    Strict,
    TrainSettings,
)

OF_ENTRY = ("method", "objective", "steps")  # keys of an entry that are no settings of its method


class Study(Strict):
    """A whole study: every combination of data set, resolution, method and seed is one fine-tuning."""

    name: Name
    seeds: Annotated[list[Seed], Field(min_length=1)]
    data: Annotated[dict[Name, DataSettings], Field(min_length=1)]
    codec: CodecSettings
    base: BaseSettings
    train: TrainSettings
    methods: Annotated[dict[Name, dict[str, Any]], Field(min_length=1)]
    sample: SampleSettings
    evaluate: EvaluateSettings

    @field_validator("methods", mode="before")
    @classmethod
    def written_out(cls, methods: Any) -> Any:
        """Entries with a `sweep` stand for several."""
        return sweeps.expand(methods) if isinstance(methods, dict) else methods

    @model_validator(mode="after")
    def consistent(self) -> Study:
        """Check what no section can check by itself; all findings in one error."""
        if faults := list(self.faults()):
            raise ValueError("\n".join(faults))
        return self

    def faults(self) -> Iterator[str]:
        """What is wrong in or across well-formed sections; those that a faulty study lacks are passed over."""
        present = self.model_fields_set
        for name, section in self.data.items() if "data" in present else ():
            faulty = faults_of(f"data.{name}.options", partial(self.reader_settings, name))
            faulty = faulty or faults_of(f"data.{name}", partial(self.hierarchy, name))
            yield from faulty
            if not faulty:
                reader, settings = self.reader(name), self.reader_settings(name)
                yield from (f"data.{name}: {fault}" for fault in limits.data(reader, settings, self.hierarchy(name)))
                asked = self.evaluate.utility if "evaluate" in present else None
                if asked and hasattr(reader, "counts"):
                    told = limits.utility(asked, name, reader.counts(settings))
                    yield from (f"evaluate.utility.{fault}" for fault in told)
            yield from (f"data.{name}.resolutions: {size} appears twice" for size in repeated(section.resolutions))
            if not faulty and {"codec", "base"} <= present:
                yield from faults_of(f"data.{name}.resolutions", partial(self.check_resolutions, name))
        for name in self.methods if {"methods", "base"} <= present else ():
            yield from faults_of(f"methods.{name}", partial(self.check_method, name))
        if "base" in present and self.base.size not in SIZES:
            yield f"base.size: {self.base.size!r} is none of {', '.join(SIZES)}"
        if "base" in present and self.base.weights:
            yield from faults_of("base.weights", partial(find, self.base.weights))
        if "base" in present:
            yield from faults_of("base.process", self.check_process)
        if "codec" in present and self.codec.name not in CODECS:
            yield f"codec.name: {self.codec.name!r} is none of {', '.join(CODECS)}"
        if "codec" in present:
            yield from faults_of("codec.weights", partial(find, self.codec.weights))
        if "evaluate" in present:
            yield from faults_of("evaluate.judges", self.check_judges)
        if "sample" in present:
            codec, process = self.codec if "codec" in present else None, self.process if "base" in present else None
            yield from (f"sample.{fault}" for fault in limits.sample(self.sample, codec, process))
        if {"sample", "base", "train"} <= present:
            yield from faults_of("sample.guidance", self.check_guidance)
        if "sample" in present:
            yield from (f"sample.guidance: {name} appears twice" for name in repeated(self.sample.guidance))
        if {"sample", "methods"} <= present:
            named = self.sample.sweep if isinstance(self.sample.sweep, dict) else {}
            for name in sorted(set(named) - set(self.methods)):
                yield f"sample.sweep.{name}: no such entry in methods{nearest(name, self.methods)}"
        yield from (f"seeds: {seed} appears twice" for seed in (repeated(self.seeds) if "seeds" in present else ()))

    def check_resolutions(self, name: str) -> None:
        """Raise ValueError where pictures of a resolution do not exist or make no whole number of tokens."""
        reader = self.reader(name)
        most = reader.pixels(self.reader_settings(name)) if hasattr(reader, "pixels") else None
        token = CODECS[self.codec.name].factor * self.base.patch if self.codec.name in CODECS else 1
        for size in self.data[name].resolutions:
            if most and size > most:
                raise ValueError(f"{size} is more than the {most} pixels of its pictures")
            if size % token:
                raise ValueError(f"{size} is no multiple of {token}, the pixels of a token (codec and base.patch)")

    def scales(self, entry: str) -> list[float]:
        """Guidance scales that an entry is sampled at, ascending."""
        sweep = self.sample.sweep
        return sorted({self.sample.scale, *(sweep.get(entry, []) if isinstance(sweep, dict) else sweep)})

    def guidances(self, entry: str) -> tuple[str, ...]:
        """What an entry's samples are guided by: what it was trained for, then what `sample.guidance` adds."""
        _, objective = self.objective(entry)
        return (*objective.GUIDANCE, *self.method_settings(entry).guidance, *self.sample.guidance)

    @property
    def process(self) -> processes.Process | None:
        """What networks are trained and sampled by; None where there is none of that name."""
        return processes.find(self.base.process) if self.base.process in processes.names() else None

    def check_process(self) -> None:
        """Raise ValueError where there is no such process, or the base tells of another."""
        processes.find(self.base.process)
        if self.base.weights and (file := find(self.base.weights).place).exists():
            about.check_process(file, self.base.model_dump())

    def check_null_row(self, what: str) -> None:
        """Raise ValueError where the base cannot be asked without a class, which `what` needs."""
        if self.base.weights is None:
            raise ValueError(f"{what}: this study starts from scratch; leave it out, or give base.weights")
        if self.base.weights_process:
            raise ValueError(f"{what}: this study's base was trained by another process; leave it out")
        file, row_of_study = find(self.base.weights).place, self.base.null_row
        told = about.about(file).get("null_row", row_of_study) if file.exists() else row_of_study
        if told in (None, "none"):
            raise ValueError(f"{what}: {self.base.weights} was trained without a null row; leave it out")

    def check_guidance(self) -> None:
        """Raise ValueError where samples are to be guided away from a network that there is not."""
        if "base" in self.sample.guidance:
            self.check_null_row("base")
        if self.sample.evaluate_every > self.sample.steps:
            raise ValueError(
                f"evaluate_every: {self.sample.evaluate_every} is more than sample.steps, so nothing is evaluated twice"
            )
        if ("auto" in self.sample.guidance) != (self.sample.auto_steps is not None):
            raise ValueError("auto: goes with auto_steps, the steps of the network to guide away from; give both")
        own = [entry.get("steps") for entry in self.methods.values()] if "methods" in self.model_fields_set else []
        fewest = min([self.train.steps, *(steps for steps in own if isinstance(steps, int))])
        if self.sample.auto_steps and self.sample.auto_steps >= fewest:
            raise ValueError(f"auto: auto_steps is {self.sample.auto_steps}: use fewer than the {fewest} of training")

    def judges(self) -> list[str]:
        """Every judge of the study: that of the published metric, those that it asks for, then its own probe."""
        by_name = ["inception"] if "fid" in self.evaluate.published else []
        return list(dict.fromkeys([*by_name, *self.evaluate.judges, judges.OWN]))

    def check_judges(self) -> None:
        """Raise ValueError where a judge is unknown, has no row of weights, or would share columns with another."""
        for name in self.judges():
            row = judges.weights(name)
            if row and row not in table():
                raise ValueError(f"{name}: {TABLE} has no row {row!r} for its weights; add one with their file")
        if len({judges.slug(name) for name in self.judges()}) < len(self.judges()):
            raise ValueError(f"{', '.join(self.judges())}: two of these would have the same columns")

    def reader(self, name: str) -> ModuleType:
        """The module that reads data set `name`."""
        return datasets.find(self.data[name].reader or name)

    def reader_settings(self, name: str) -> Any:
        """The reader's own settings of data set `name`."""
        return build(self.reader(name).Settings, self.data[name].options)

    def hierarchy(self, name: str) -> dict[str, Any]:
        """What decides the superclasses of data set `name`: settings of its "hierarchy" job."""
        section = self.data[name]
        given = Path(section.taxonomy) if section.taxonomy else None
        ranks = taxonomy_file.ranks(given) if given else self.reader(name).ranks(self.reader_settings(name))
        known = [*("source" if rank == "superclass" else rank for rank in ranks), "derived"]
        wanted = section.hierarchy or known[0]
        if wanted not in known:
            raise ValueError(f"hierarchy is {wanted!r}: use one of {', '.join(known)}{nearest(wanted, known)}")
        settings: dict[str, Any] = {"superclass": wanted}
        if given and wanted != "derived":
            settings["taxonomy"] = {"path": str(given), "checksum": checksum(given)}
        return settings

    def method(self, name: str) -> ModuleType:
        """The method module that the entry `name` runs: its key `method`, or its own name."""
        wanted = self.methods[name].get("method", name)
        if not isinstance(wanted, str):
            raise ValueError(f"method is {wanted!r}: use one of {', '.join(methods.names())}")
        return methods.find(wanted)

    def method_settings(self, name: str) -> MethodSettings:
        """The method's settings of entry `name`."""
        given = {key: value for key, value in self.methods[name].items() if key not in OF_ENTRY}
        return build(self.method(name).Settings, given)

    def training(self, name: str) -> TrainSettings:
        """How entry `name` is trained: as the study says, but for the entry's own `steps`.

        Raises:
            ValueError: these are no whole number from 1.
        """
        steps = self.methods[name].get("steps", self.train.steps)
        if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
            raise ValueError(f"steps is {steps!r}: use a whole number of at least 1, or leave it out for the study's")
        return self.train.model_copy(update={"steps": steps})

    def objective(self, name: str) -> tuple[str, ObjectiveSettings]:
        """What entry `name` is trained by: its key `objective`, a name or a mapping with a name and settings."""
        given = self.methods[name].get("objective", "plain")
        given = {"name": given} if isinstance(given, str) else given
        if not isinstance(given, dict) or not isinstance(given.get("name"), str):
            known = ", ".join(objectives.names())
            raise ValueError(f"objective is {given!r}: use one of {known}, or {{name: ONE, and its settings}}")
        settings = {key: value for key, value in given.items() if key != "name"}
        return given["name"], build(objectives.find(given["name"]).Settings, settings)

    def settings_of(self, name: str) -> dict[str, Any]:
        """Settings of entry `name`, with `method`, `objective`, `process`, and the rate and steps that it gets."""
        settings = self.method_settings(name)
        objective, _ = self.objective(name)
        resolved = {"method": self.methods[name].get("method", name), "lr": settings.lr or self.train.lr}
        resolved |= {"steps": self.training(name).steps}
        return asdict(settings) | resolved | {"objective": objective, "process": self.base.process}

    def check_method(self, name: str) -> None:
        """Raise ValueError where entry `name` does not suit the study's network."""
        settings = self.method_settings(name)
        if "train" in self.model_fields_set:
            self.training(name)
        if self.base.size in SIZES:
            settings.check_depth(SIZES[self.base.size][0])
        objective, minimised = self.objective(name)
        if minimised.NEEDS_NULL and "null" not in settings.guidance:
            raise ValueError(f'objective {objective} trains the null row; add "null" to guidance')
        if minimised.NEEDS_BASE:
            self.check_null_row(f"objective {objective}")


def build(settings: type, given: dict[str, Any]) -> Any:
    """Build a dataclass of settings from a mapping, refusing keys it does not have."""
    known = [field.name for field in fields(settings)]
    for key in given:
        if key not in known:
            raise ValueError(f"{one_line(key)}: unknown key{nearest(key, known)}; known are {', '.join(known)}")
    try:
        built = adapter(settings).validate_python(given)
    except ValidationError as error:
        texts = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}".strip(": ") for e in error.errors(include_url=False)]
        raise ValueError("; ".join(text.replace("Value error, ", "") for text in texts)) from None
    for name, value in vars(built).items():
        numbers = value.values() if isinstance(value, dict) else [value]
        if any(isinstance(one, float) and not math.isfinite(one) for one in numbers):
            raise ValueError(f"{name}: {value} is not finite; use a number")
    return built


@cache
def adapter(settings: type) -> TypeAdapter:
    """What validates a dataclass of settings; made once for each, since making it takes milliseconds."""
    return TypeAdapter(settings)


def one_line(key: str) -> str:
    """A key as it is, or quoted where it would not stay on one line."""
    return key if key.isprintable() else repr(key)


def faults_of(where: str, check: Callable[[], object]) -> list[str]:
    """The fault that `check()` raises, as a list of none or one."""
    try:
        check()
    except ValueError as error:
        return [f"{where}: {error}"]
    return []


def repeated(values: list) -> list:
    """Values that appear more than once."""
    return sorted({value for value in values if values.count(value) > 1})
