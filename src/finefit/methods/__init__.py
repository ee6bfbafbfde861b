"""Fine-tuning methods: one file each, found by its name; nothing outside this package knows a method's name.

A method module defines

- `Settings`, a frozen dataclass derived from `MethodSettings`, whose defaults are the paper's, and
- `apply(model, settings)`, which adds the method's parameters to a DiT that already holds the base's weights, freezes
  all others, and returns the names of the trained parameters;
- `variants()`, only if it is several: settings of each by its name, which `finefit count` lists;
- `STARTS_AT_BASE = False`, only if what it adds changes the network's output before anything is trained.

Everything else is derived from these names: the optimizer's groups, the delta that is saved, its size, and loading it.
Method modules import torch inside functions only, so that planning a study stays fast.

May import: jobs, data, models.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from finefit.jobs import modules

if TYPE_CHECKING:
    from finefit.models.dit import DiT


@dataclass(frozen=True)
class MethodSettings:
    """What every method can be asked; a method's own `Settings` change the defaults and add to them.

    Attributes:
        lr: learning rate; None takes the study's.
        embedder: "flat" class table; "tiered" with a row per superclass beside the classes'; or "summed", where a
            class's row is added to its superclass's.
        guidance: what labels are dropped to in training, hence what sampling can be guided away from.
        norm_affine: whether LayerNorm gets trained scale and shift (the published base has none).
        coordinate_scale: factor on the token coordinates of the position embedding; 0.5 starts at twice the base's
            resolution with the base's own range of positions (DiffFit's trick), 1 continues beyond it.
        lr_multipliers: factor on `lr` for parameters whose name contains the key.
    """

    lr: float | None = None
    embedder: Literal["flat", "tiered", "summed"] = "flat"
    guidance: tuple[Literal["null", "superclass"], ...] = ("null",)
    norm_affine: bool = False
    coordinate_scale: float = 1.0
    lr_multipliers: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.lr is not None and self.lr <= 0:
            raise ValueError(f"lr is {self.lr}: use a number above 0, or leave it out for the study's")
        if self.coordinate_scale <= 0:
            raise ValueError(
                f"coordinate_scale is {self.coordinate_scale}: use a number above 0, 0.5 or 1 as published"
            )
        if "superclass" in self.guidance and self.embedder == "flat":
            raise ValueError("guidance 'superclass' needs embedder: tiered or summed, which have a row per superclass")

    def check_depth(self, depth: int) -> None:
        """Raise ValueError where the settings do not suit a network of `depth` blocks."""


def names() -> list[str]:
    """Names of all methods, in alphabetical order."""
    return modules.names(__name__)


def find(name: str) -> ModuleType:
    """The module of a method; ValueError if there is none of that name."""
    return modules.find(__name__, name, "method")


def freeze_all_but(model: DiT, trained: set[str]) -> set[str]:
    """Let only the named parameters require gradients; gives the names back."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained)
    return trained


def biases(model: DiT) -> set[str]:
    """Names of all bias parameters: patch, timestep, attention, MLP, adaLN and last layers."""
    return {name for name, _ in model.named_parameters() if name.endswith("bias")}


def norms(model: DiT) -> set[str]:
    """Names of LayerNorm's affine parameters, where they exist."""
    return {name for name, _ in model.named_parameters() if ".norm" in name}
