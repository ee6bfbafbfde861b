"""Learning rates: each trained parameter's peak, and the share of it at every step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from finefit.models.dit import DiT

if TYPE_CHECKING:
    from finefit.study.sections import TrainSettings


def peak_rates(model: DiT, lr: float, multipliers: dict[str, float]) -> dict[str, float]:
    """Peak learning rate of each trained parameter by name; the first key found in a name decides its factor.

    Raises:
        ValueError: a key of `multipliers` is found in no trained parameter's name.
    """
    for key in multipliers:
        if not any(key in name for name in model.trained):
            raise ValueError(f"lr_multipliers.{key}: no trained parameter's name contains it")
    return {
        name: lr * next((factor for key, factor in multipliers.items() if key in name), 1.0) for name in model.trained
    }


def share_of_peak(settings: TrainSettings, step: int) -> float:
    """Share of the peak learning rate at a step: linear warm-up, then constant or a half cosine to zero."""
    warm = min(1.0, (step + 1) / max(settings.warmup_steps, 1))
    if settings.schedule == "constant":
        return warm
    return warm * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
