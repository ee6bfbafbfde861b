"""Full fine-tuning: every weight of the network and the class table; only the position embedding stays fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from finefit.methods import MethodSettings, freeze_all_but

if TYPE_CHECKING:
    from finefit.models.dit import DiT

TRAINS_ALL = True  # what it costs is counted by this


@dataclass(frozen=True)
class Settings(MethodSettings):
    """No settings beyond the common ones."""


def apply(model: DiT, settings: Settings) -> set[str]:
    """Train everything but `pos_embed`."""
    return freeze_all_but(model, {name for name, _ in model.named_parameters()} - {"pos_embed"})
