"""FineDiffusion (arXiv 2402.18331): TieredEmbedder, biases and LayerNorm; guidance away from the superclass.

Follows the released code where it and the paper's figure differ: the feed-forward, adaLN, patch, timestep and last
biases are trained too. The table has a row per class and a row per superclass and, unless `guidance` asks, no null row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from finefit.methods import MethodSettings, biases, freeze_all_but, norms
from finefit.models.shapes import CLASS_TABLE

if TYPE_CHECKING:
    from finefit.models.dit import DiT


@dataclass(frozen=True)
class Settings(MethodSettings):
    """The paper's three changes; each can be undone by itself."""

    embedder: Literal["flat", "tiered", "summed"] = "tiered"
    guidance: tuple[Literal["null", "superclass"], ...] = ("superclass",)
    norm_affine: bool = True


def apply(model: DiT, settings: Settings) -> set[str]:
    """Train biases, LayerNorm's scale and shift, and the class table."""
    return freeze_all_but(model, biases(model) | norms(model) | {CLASS_TABLE})
