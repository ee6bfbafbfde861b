"""Any adapter of the peft library on the network's linear layers, and the class table.

`kind` is peft's own name of it in small letters (`lora`, `oft`, `hra`, `vera`, ...), or `dora` (Liu et al. 2024), which
peft has as an option of LoRA; each is described, with its paper, in peft's documentation. Its settings are peft's.
Planning a study with this method takes the seconds that peft needs to be imported: its own classes check them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from finefit.data.names import nearest
from finefit.methods import MethodSettings, freeze_all_but, norms
from finefit.models.shapes import CLASS_TABLE

if TYPE_CHECKING:
    from peft import PeftConfig

    from finefit.models.dit import DiT


# Kinds of peft that are no adapters of single linear layers, or need more than a network and its batches, and why.
NOT_HERE = {
    "adalora": "its ranks change by calls that only its own training loop makes",
    "adaption_prompt": "it is made for attention layers of language models",
    "poly": "every picture would have to name a task",
    "shadow": "it is made for stacks of decoder blocks",
    "trainable_tokens": "it trains rows of embeddings, as every method here does",
}
ASKED_FOR: dict[str, dict[str, Any]] = {  # what peft has no default for, or one that a width of DiT is no multiple of
    "c3a": {"block_size": 64},
    "ia3": {"feedforward_modules": []},
    "vblora": {"vector_length": 64},
}


@dataclass(frozen=True)
class Settings(MethodSettings):
    """What is added, and where.

    Attributes:
        kind: of adapter.
        options: its own settings, by peft's names; peft's defaults hold for the others.
        layers: which linear layers get one, by the ends of their names.
    """

    kind: str = "lora"
    options: dict[str, Any] = field(default_factory=dict)
    layers: tuple[str, ...] = ("qkv",)

    def __post_init__(self) -> None:
        super().__post_init__()
        config(self)


def apply(model: DiT, settings: Settings) -> set[str]:
    """Add the adapters; train what peft trains of them, with the class table (and norms, where there are any).

    Raises:
        ValueError: peft cannot add them.
    """
    from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING

    before, adapter = {id(parameter) for parameter in model.parameters()}, config(settings)
    try:
        # Not through `inject_adapter_in_model`, which refuses kinds whose layers share tensors: those are drawn from a
        # seed in peft's config, so that the delta need not hold them.
        PEFT_TYPE_TO_TUNER_MAPPING[adapter.peft_type](model, adapter, "default")
    except (ValueError, TypeError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"kind {settings.kind} on {', '.join(settings.layers)}: peft says: {error}") from None
    new = {name for name, value in model.named_parameters() if id(value) not in before and value.requires_grad}
    return freeze_all_but(model, new | norms(model) | {CLASS_TABLE})


def variants() -> dict[str, dict[str, Any]]:
    """Settings of one of each kind, as peft sets it up by itself."""
    return {kind: {"kind": kind, "options": ASKED_FOR.get(kind, {})} for kind in kinds()}


def config(settings: Settings) -> PeftConfig:
    """peft's own description of the adapters.

    Raises:
        ValueError: there is no such kind, or it has no such settings.
    """
    known, options = kinds(), {"target_modules": list(settings.layers)} | settings.options
    if settings.kind in NOT_HERE:
        raise ValueError(f"kind {settings.kind} cannot be used here: {NOT_HERE[settings.kind]}")
    if settings.kind not in known:
        raise ValueError(f"kind is {settings.kind!r}{nearest(settings.kind, known)}: use one of {', '.join(known)}")
    if settings.kind == "dora":
        options["use_dora"] = True
    for key in options:
        if key not in (names := [one.name for one in fields(known[settings.kind])]):
            raise ValueError(f"options.{key}: {settings.kind} has no such setting in peft{nearest(key, names)}")
    try:
        return known[settings.kind](**options)
    except (ValueError, TypeError) as error:
        raise ValueError(f"options: peft says of {settings.kind}: {str(error).splitlines()[0]}") from None


def kinds() -> dict[str, type[PeftConfig]]:
    """peft's config class of every kind of adapter that is put on layers named by their ends, by the kind's name."""
    from finefit.jobs.torchvision_shim import importable_torchvision

    importable_torchvision()  # peft imports it on the way
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING

    found = {
        str(kind.value).lower(): made
        for kind, made in PEFT_TYPE_TO_CONFIG_MAPPING.items()
        if kind in PEFT_TYPE_TO_TUNER_MAPPING and "target_modules" in {one.name for one in fields(made)}
    }
    found = {kind: made for kind, made in found.items() if kind not in NOT_HERE}
    return dict(sorted({**found, "dora": found["lora"]}.items()))
