"""The sections of a study file, each a type of its own: what it may say, and every default. No torch here."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from finefit import processes

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Scale = Annotated[float, Field(ge=0)]
Timestep = Annotated[int, Field(ge=0, le=999)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]  # what numpy's and torch's generators both take


class Strict(BaseModel):
    """A section: unknown keys are errors, numbers are finite, values do not change after reading.

    `LATER` names settings that came after studies had run, with a default that means as before. While one stands at it,
    no dump of the section has it, so that the digests of those studies' jobs are what they were.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    LATER: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def without_later(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The section's settings, those of `LATER` only where they are not at their defaults."""
        default = {name: type(self).model_fields[name].default for name in self.LATER}
        same = {name for name in self.LATER if getattr(self, name) == default[name]}
        return {name: value for name, value in dump(self).items() if name not in same}

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
    `trial` takes at most so many pictures of each split, and makes so many samples, of classes from the first to the
    last: networks and class tables have their true shapes, and nothing takes long.
    """

    reader: Name | None = None  # None: the section's own name
    resolutions: Annotated[list[Positive], Field(min_length=1)]
    options: dict[str, Any] = {}
    hierarchy: str | None = None
    taxonomy: str | None = None
    per_class: Positive | None = None
    trial: Annotated[int, Field(ge=4)] | None = None

    LATER: ClassVar[frozenset[str]] = frozenset({"trial"})


class CodecSettings(Strict):
    """The codec, and the row of data/sources.csv that holds its weights."""

    name: Name
    weights: Name


class BaseSettings(Strict):
    """The network and the checkpoint that fine-tuning starts from (None: from scratch, as the base itself was made).

    `process` is what the network is trained and sampled by, a file of `finefit.processes`. Where it goes on from
    weights of another process, as a base may be made, `weights_process` names that one.
    """

    size: str
    patch: Positive
    weights: Name | None
    # Of its class table, the row that stands for no class: what counts where the file itself does not tell.
    null_row: Annotated[int, Field(ge=0)] | Literal["last", "none"] = "last"
    process: Name = processes.DEFAULT
    weights_process: Name | None = None

    LATER: ClassVar[frozenset[str]] = frozenset({"null_row", "process", "weights_process"})


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

    A list instead of names sweeps every method. `sampler` is one of the base's process's.

    `guidance` is what every method is guided away from beside what it was trained for: "base", the untouched base when
    no class is asked for (Domain Guidance), or "auto", the same method trained for `auto_steps` steps (autoguidance).
    `guidance_form` is the formula of all guidance, a function of `finefit.diffusion.guidance`.
    """

    # What is drawn.
    sampler: Name = "dpmpp"
    steps: Positive
    per_class: Positive

    # Guidance.
    scale: Scale = 1.5
    sweep: dict[Name, list[Scale]] | list[Scale] = {}
    guidance: list[Literal["base", "auto"]] = []
    guidance_form: Literal["plain", "zero_star", "apg"] = "plain"
    guided_channels: Positive = 3
    # Guided only while the schedule's step lies in it. A list, since no tuple equals its record in dvc.lock.
    guidance_interval: Annotated[list[Timestep], Field(min_length=2, max_length=2)] = [0, 999]
    auto_steps: Positive | None = None

    # Speed.
    batch_size: Positive = 64
    evaluate_every: Positive = 1  # steps for one evaluation of the network's blocks (finefit.diffusion.taylorseer)

    LATER: ClassVar[frozenset[str]] = frozenset({"guidance", "guidance_form", "auto_steps", "evaluate_every"})


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
    denoising_per_class: Positive = 16  # test pictures of each class, at so many fixed steps of the schedule
    denoising_timesteps: Positive = 10
    published: list[Literal["fid", "lpips"]] = []  # "fid" is judge `inception`
    # Beside the study's own probe: the one that comes with FineFit's packages, dinov2-base, timm/resnet50.a1_in1k, ...
    judges: list[str] = ["efficientnet-lite1"]
    utility: UtilitySettings | None = None
    drift_pictures: Annotated[int, Field(ge=0)] = 0  # of the base's own classes that drift is measured on; 0: it is not

    LATER: ClassVar[frozenset[str]] = frozenset({"utility", "drift_pictures"})


def defaults(section: type[Strict]) -> dict[str, Any]:
    """The defaults of a section, by key; keys that a study has to give are left out."""
    return {name: field.default for name, field in section.model_fields.items() if not field.is_required()}
