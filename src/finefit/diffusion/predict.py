"""What a sampler asks for at every step: a network's output, guided.

Each function gives `predict(x, t) -> output`, the network's `[n, 2c, h, w]` for latents at a time of its process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from finefit import processes
from finefit.diffusion.guidance import Form, plain
from finefit.models.dit import DiT

if TYPE_CHECKING:
    from finefit.processes import Predict, Process

USUAL = processes.find(processes.DEFAULT)


def guided(
    model: DiT,
    rows: Tensor,
    references: Tensor | None,
    scale: float,
    channels: int,
    interval: tuple[int, int],
    form: Form = plain,
    pair: DiT | None = None,
    process: Process = USUAL,
) -> Predict:
    """Guidance away from `references`, both halves in one batch.

    The prediction is the `form`'s on the first `channels` channels; the rest of the output stays the label's. The
    published code guides 3 of 4 channels. Outside the `interval` of the schedule's steps (Kynkaanniemi et al. 2024),
    and without references: no guidance.

    Args:
        references: `[n]` rows of the class table, or None.
        pair: answers to the rows by `model` and to the references by another network, whose rows they then are (see
            `finefit.deltas.beside`); where left out, `model` answers to both.
    """

    def unguided(x: Tensor, t: float) -> Tensor:
        return model(x, torch.full((len(x),), t, device=x.device), rows)

    if references is None:
        return unguided
    both, network = torch.cat([rows, references]), pair or model

    def predict(x: Tensor, t: float) -> Tensor:
        if not interval[0] <= process.step(t) <= interval[1]:
            return unguided(x, t)
        label, reference = network(torch.cat([x, x]), torch.full((len(both),), t, device=x.device), both).chunk(2)
        steered = form(label[:, :channels], reference[:, :channels], scale, x[:, :channels], t, process)
        return torch.cat([steered, label[:, channels:]], dim=1)

    return predict


def told(model: DiT, rows: Tensor, scale: float, interval: tuple[int, int], process: Process = USUAL) -> Predict:
    """One pass of a network that takes the scale of guidance as an input; outside the `interval` a scale of 1."""

    def predict(x: Tensor, t: float) -> Tensor:
        inside = interval[0] <= process.step(t) <= interval[1]
        scales = torch.full((len(x),), scale if inside else 1.0, device=x.device)
        return model(x, torch.full((len(x),), t, device=x.device), rows, scales)

    return predict
