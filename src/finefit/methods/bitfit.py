"""BitFit (Ben Zaken et al. 2022) as both papers run it on DiT: every bias, and the class table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from finefit.methods import MethodSettings, biases, freeze_all_but, norms
from finefit.models.shapes import CLASS_TABLE

if TYPE_CHECKING:
    from finefit.models.dit import DiT


@dataclass(frozen=True)
class Settings(MethodSettings):
    """No settings beyond the common ones."""


def apply(model: DiT, settings: Settings) -> set[str]:
    """Train biases and class table (and norms, where `norm_affine` added them)."""
    return freeze_all_but(model, biases(model) | norms(model) | {CLASS_TABLE})
