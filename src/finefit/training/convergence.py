"""Whether training still converges: a loss that is not finite ends it at that step."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def require_converging(losses: list[Tensor], step: int, record: list[dict], rate: float) -> None:
    """Raise ValueError where a loss is not finite, and forget all but the last.

    Args:
        losses: those of the last steps up to `step` (counted from 0).
        record: mean losses of the steps before.
        rate: the largest peak learning rate, which the message names.
    """
    values = torch.stack(losses).tolist() if losses else []
    del losses[:-1]
    bad = next((place for place, loss in enumerate(values) if not math.isfinite(loss)), None)
    if bad is None:
        return
    before = values[bad - 1] if bad else record[-1]["loss"] if record else None
    last = "none before it was finite" if before is None else f"the last finite loss was {before:.4g}"
    number = step + 2 - len(values) + bad
    raise ValueError(
        f"training diverged: the loss is {values[bad]} at step {number}, {last}; the learning rate is {rate:g} "
        "(lr with its largest multiplier): lower it"
    )
