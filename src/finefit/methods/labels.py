"""Only the class table: the floor that every method must beat, since a new data set needs its labels anyway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from finefit.methods import MethodSettings, freeze_all_but, norms
from finefit.models.shapes import CLASS_TABLE

if TYPE_CHECKING:
    from finefit.models.dit import DiT


@dataclass(frozen=True)
class Settings(MethodSettings):
    """No settings beyond the common ones."""


def apply(model: DiT, settings: Settings) -> set[str]:
    """Train the class table (and norms, where `norm_affine` added them)."""
    return freeze_all_but(model, norms(model) | {CLASS_TABLE})
