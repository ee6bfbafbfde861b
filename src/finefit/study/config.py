"""A study: its sections together, and what none of them can check by itself. Importing it imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from finefit import datasets, judges, methods, objectives
from finefit.codecs import CODECS
from finefit.data.names import nearest
from finefit.data.sources import TABLE, find, table
from finefit.hierarchy import taxonomy_file
from finefit.jobs.checksums import checksum
from finefit.methods import MethodSettings
from finefit.models.shapes import SIZES
from finefit.objectives import ObjectiveSettings
from finefit.study import limits, sweeps
from finefit.study.building import build, faults_of, repeated, told
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

OF_ENTRY = ("method", "objective", "steps", "base", "sampler")  # keys of an entry that are no settings of its method


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
        if "base" in present:
            yield from (f"base.{fault}" for fault in limits.base(self.base))
        if "codec" in present and self.codec.name not in CODECS:
            yield f"codec.name: {self.codec.name!r} is none of {', '.join(CODECS)}"
        if "codec" in present:
            yield from faults_of("codec.weights", partial(find, self.codec.weights))
        if "evaluate" in present:
            yield from faults_of("evaluate.judges", self.check_judges)
        if "sample" in present:
            codec, base = self.codec if "codec" in present else None, self.base if "base" in present else None
            yield from (f"sample.{fault}" for fault in limits.sample(self.sample, codec, base))
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
        patches = {base.patch for base in self.bases()}
        token = CODECS[self.codec.name].factor * math.lcm(*patches) if self.codec.name in CODECS else 1
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

    def base_of(self, entry: str) -> BaseSettings:
        """The base that an entry starts from: the study's, but for what the entry's own `base` says otherwise.

        Raises:
            ValueError: that is no mapping of such settings.
        """
        if "base" not in self.methods[entry]:
            return self.base
        given = self.methods[entry]["base"]
        if not isinstance(given, dict):
            raise ValueError(f"base is {given!r}: name what differs from the study's, such as {{weights: NAME}}")
        try:
            return BaseSettings.model_validate(self.base.model_dump() | given)
        except ValidationError as error:
            raise ValueError(f"base.{told(error)}") from None

    def bases(self) -> list[BaseSettings]:
        """Every base of the study, once: its own first, then those of entries; those that are no settings left out."""
        found = [self.base]
        for entry in self.methods if "methods" in self.model_fields_set else ():
            with suppress(ValueError):
                found += [base for base in [self.base_of(entry)] if base not in found]
        return found

    def sampling(self, entry: str) -> SampleSettings:
        """How an entry is sampled: as the study says, but for the entry's own `sampler`.

        Raises:
            ValueError: that is no name.
        """
        sampler = self.methods[entry].get("sampler", self.sample.sampler)
        if not isinstance(sampler, str):
            raise ValueError(f"sampler is {sampler!r}: give one of its process's, or leave it out for the study's")
        return self.sample.model_copy(update={"sampler": sampler})

    def check_guidance(self) -> None:
        """Raise ValueError where samples are to be guided away from a network that there is not."""
        if "base" in self.sample.guidance:
            limits.null_row("base", self.base)
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
        """Settings of entry `name`, with `method`, `objective`, the base's `base` and `process`, its rate and steps."""
        settings = self.method_settings(name)
        objective, _ = self.objective(name)
        resolved = {"method": self.methods[name].get("method", name), "lr": settings.lr or self.train.lr}
        resolved |= {"steps": self.training(name).steps}
        base = self.base_of(name)
        return asdict(settings) | resolved | {"objective": objective, "base": base.weights, "process": base.process}

    def check_method(self, name: str) -> None:
        """Raise ValueError where entry `name` does not suit the study's network."""
        settings = self.method_settings(name)
        if "train" in self.model_fields_set:
            self.training(name)
        base, present = self.base_of(name), self.model_fields_set
        if base.size in SIZES:
            settings.check_depth(SIZES[base.size][0])
        if base != self.base:
            limits.refuse(f"base.{fault}" for fault in limits.base(base))
        if "sample" in present and (base.process, self.sampling(name)) != (self.base.process, self.sample):
            limits.refuse(limits.sampler(self.sampling(name), base))
        if "sample" in present and "base" in self.sample.guidance and base != self.base:
            limits.null_row("sample.guidance: base", base)
        objective, minimised = self.objective(name)
        if minimised.NEEDS_NULL and "null" not in settings.guidance:
            raise ValueError(f'objective {objective} trains the null row; add "null" to guidance')
        if minimised.NEEDS_BASE:
            limits.null_row(f"objective {objective}", base)
