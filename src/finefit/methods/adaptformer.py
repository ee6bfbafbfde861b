"""AdaptFormer (Chen et al. 2022): a bottleneck beside every block's perceptron, and the class table.

With 64 channels, biases in the bottleneck and the base's own biases frozen this is the count of DiffFit's Table 1.
The bottleneck stands inside the branch that adaLN gates; where DiffFit's authors put it is not published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from finefit.methods import MethodSettings, freeze_all_but, norms
from finefit.models.shapes import CLASS_TABLE

if TYPE_CHECKING:
    from finefit.models.dit import DiT


@dataclass(frozen=True)
class Settings(MethodSettings):
    """AdaptFormer's own setting: the width of the `bottleneck`."""

    bottleneck: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bottleneck < 1:
            raise ValueError(f"bottleneck is {self.bottleneck}: use a whole number of at least 1 (published: 64)")


def apply(model: DiT, settings: Settings) -> set[str]:
    """Add the bottlenecks; train them with the class table (and norms, where there are any)."""
    from finefit.models.adapter import Adapter

    for block in model.blocks:
        block.mlp.adapter = Adapter(model.shape.width, settings.bottleneck)
    adapters = {name for name, _ in model.named_parameters() if ".adapter." in name}
    return freeze_all_but(model, adapters | norms(model) | {CLASS_TABLE})
