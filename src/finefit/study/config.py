"""The typed study: what params.yaml and studies/*.yaml may say, and every default. Importing it imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from finefit import datasets, judges, methods
from finefit.codecs import CODECS
from finefit.data.names import nearest
from finefit.data.sources import TABLE, find, table
from finefit.hierarchy import taxonomy_file
from finefit.jobs.checksums import checksum
from finefit.methods import MethodSettings
from finefit.models.shapes import SIZES
from finefit.study import limits, sweeps

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Scale = Annotated[float, Field(ge=0)]
Timestep = Annotated[int, Field(ge=0, le=999)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]  # what numpy's and torch's generators both take


class Strict(BaseModel):
    """A section: unknown keys are errors, numbers are finite, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def no_flag_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse YAML's yes and no where a number stands, which would count as 1 and 0."""
        flags = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, bool)]
        if flags and cls.model_fields[info.field_name].annotation is not bool:
            raise ValueError(f"{'yes' if flags[0] else 'no'} in place of a number or name; quote it if it is a name")
        return value


class DataSettings(Strict):
    """A data set: which reader, at which resolutions, the reader's own settings (`options`), and its superclasses.

    `hierarchy` is "source" (the data set's own superclasses), a rank of its lineages, or "derived" from its pictures;
    None takes its own where it has them. `taxonomy` names a CSV file that gives superclass and ranks of every class.
    `per_class` replaces that of `sample`, since a score wants about as many pictures of ten classes as of four hundred.
    """

    reader: Name | None = None  # None: the section's own name
    resolutions: Annotated[list[Positive], Field(min_length=1)]
    options: dict[str, Any] = {}
    hierarchy: str | None = None
    taxonomy: str | None = None
    per_class: Positive | None = None


class CodecSettings(Strict):
    """The codec, and the row of data/sources.csv that holds its weights."""

    name: Name
    weights: Name


class BaseSettings(Strict):
    """The network and the checkpoint that fine-tuning starts from (None: from scratch, as the base itself was made)."""

    size: str
    patch: Positive
    weights: Name | None


class TrainSettings(Strict):
    """The fine-tuning loop. Learning rate, schedule and batch may be the papers' or a short study's."""

    steps: Positive
    batch_size: Positive
    lr: Annotated[float, Field(gt=0)] = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    label_dropout: Share = 0.1
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.9999
    flip: bool = True
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    recompute: bool = False  # activations in the backward pass: memory for a third more arithmetic


class SampleSettings(Strict):
    """How models are sampled: `scale` for every method, and further scales for the methods named in `sweep`.

    A list instead of names sweeps every method.
    """

    sampler: Literal["ancestral", "ddim", "dpmpp"] = "dpmpp"
    steps: Positive
    per_class: Positive
    scale: Scale = 1.5
    sweep: dict[Name, list[Scale]] | list[Scale] = {}
    guided_channels: Positive = 3
    # Guided only while the training timestep lies in it. A list, since no tuple equals its record in dvc.lock.
    guidance_interval: Annotated[list[Timestep], Field(min_length=2, max_length=2)] = [0, 999]
    batch_size: Positive = 64


class UtilitySettings(Strict):
    """What a classifier gains by samples: `per_class` samples of every class, `ratios` of generated to real pictures.

    For every seed of the study `classifiers` are trained on each set, for `steps` of 64 pictures.
    """

    per_class: Positive
    steps: Positive
    ratios: Annotated[list[Positive], Field(min_length=1)] = [1, 10]
    classifiers: Positive = 2


class EvaluateSettings(Strict):
    """Networks that judge samples, trained on the real training pictures; `published` metrics need their weights."""

    probe_steps: Positive
    split_halves: Positive = 5
    diversity_pairs: Positive = 32
    denoising_per_class: Positive = 16  # test pictures of each class, at so many fixed timesteps
    denoising_timesteps: Positive = 10
    published: list[Literal["fid", "lpips"]] = []  # "fid" is judge `inception`
    judges: list[str] = []  # beside the study's own probe: dinov2-base, timm/resnet50.a1_in1k
    utility: UtilitySettings | None = None


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
        given = self.model_fields_set
        for name, section in self.data.items() if "data" in given else ():
            faulty = faults_of(f"data.{name}.options", partial(self.reader_settings, name))
            faulty = faulty or faults_of(f"data.{name}", partial(self.hierarchy, name))
            yield from faulty
            if not faulty:
                reader, settings = self.reader(name), self.reader_settings(name)
                yield from (f"data.{name}: {fault}" for fault in limits.data(reader, settings, self.hierarchy(name)))
                asked = self.evaluate.utility if "evaluate" in given else None
                if asked and hasattr(reader, "counts"):
                    told = limits.utility(asked, name, reader.counts(settings))
                    yield from (f"evaluate.utility.{fault}" for fault in told)
            yield from (f"data.{name}.resolutions: {size} appears twice" for size in repeated(section.resolutions))
            if not faulty and {"codec", "base"} <= given:
                yield from faults_of(f"data.{name}.resolutions", partial(self.check_resolutions, name))
        for name in self.methods if {"methods", "base"} <= given else ():
            yield from faults_of(f"methods.{name}", partial(self.check_method, name))
        if "base" in given and self.base.size not in SIZES:
            yield f"base.size: {self.base.size!r} is none of {', '.join(SIZES)}"
        if "base" in given and self.base.weights:
            yield from faults_of("base.weights", partial(find, self.base.weights))
        if "codec" in given and self.codec.name not in CODECS:
            yield f"codec.name: {self.codec.name!r} is none of {', '.join(CODECS)}"
        if "codec" in given:
            yield from faults_of("codec.weights", partial(find, self.codec.weights))
        if "evaluate" in given:
            yield from faults_of("evaluate.judges", self.check_judges)
        if "sample" in given:
            yield from (
                f"sample.{fault}" for fault in limits.sample(self.sample, self.codec if "codec" in given else None)
            )
        if {"sample", "methods"} <= given:
            named = self.sample.sweep if isinstance(self.sample.sweep, dict) else {}
            for name in sorted(set(named) - set(self.methods)):
                yield f"sample.sweep.{name}: no such entry in methods{nearest(name, self.methods)}"
        yield from (f"seeds: {seed} appears twice" for seed in (repeated(self.seeds) if "seeds" in given else ()))

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

    def judges(self) -> list[str]:
        """Every judge of the study: its own probe, and those that it asks for."""
        asked = ["inception"] if "fid" in self.evaluate.published else []
        return list(dict.fromkeys([judges.OWN, *asked, *self.evaluate.judges]))

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
        given = {key: value for key, value in self.methods[name].items() if key != "method"}
        return build(self.method(name).Settings, given)

    def check_method(self, name: str) -> None:
        """Raise ValueError where entry `name` does not suit the study's network."""
        settings = self.method_settings(name)
        if self.base.size in SIZES:
            settings.check_depth(SIZES[self.base.size][0])


def defaults(section: type[Strict]) -> dict[str, Any]:
    """The defaults of a section, by key; keys that a study has to give are left out."""
    return {name: field.default for name, field in section.model_fields.items() if not field.is_required()}


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
