"""The exponential moving average of what is trained, which is what gets sampled: how fast it forgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finefit.study.sections import TrainSettings


def decay(settings: TrainSettings, step: int) -> float:
    """Decay of the moving average at a step, warmed up, so that short runs forget their start."""
    return min(settings.ema_decay, (1 + step) / (10 + step))
