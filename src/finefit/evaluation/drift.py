"""Drift: how far fine-tuning has moved a network from its base on what the base itself knows.

The base draws pictures of classes that it was trained on, from fixed noise by its process's sampler of first order
(DDIM, Euler). At every step of the way the fine-tuned network, with the base's class table in the place of its own, is
asked what it says of the same latents:

    drift = |prediction of the fine-tuned - prediction of the base| / |prediction of the base|,

the norms over all pictures and steps. 0 is the base itself. It measures what parameter-efficient methods are said to
spare, and needs no picture of the base's own data.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from finefit import processes
from finefit.models.dit import DiT

if TYPE_CHECKING:
    from finefit.processes import Process

USUAL = processes.find(processes.DEFAULT)


@torch.no_grad()
def drift(tuned: DiT, base: DiT, pictures: int, steps: int, seed: int = 0, process: Process = USUAL) -> float:
    """The module's formula, on so many pictures of as many classes of the base, spread evenly over its class table.

    Args:
        tuned: a network that was fine-tuned from `base`; both in the same place.
        base: the untouched base with its own classes.
        pictures: where there are fewer classes, each comes more than once.
        steps: of the sampler.
        process: of both.
    """
    tuned_output = with_conditions_of(tuned.eval(), base.eval())
    classes, shape = base.y_embedder.num_classes, base.shape
    rows = torch.arange(pictures) % classes if pictures > classes else torch.arange(pictures) * classes // pictures
    chance, size = torch.Generator().manual_seed(seed), (shape.latent_channels, shape.latent_size, shape.latent_size)
    rows, noise = (each.to(base.pos_embed.device) for each in (rows, torch.randn(pictures, *size, generator=chance)))
    moved = length = torch.zeros((), dtype=torch.float64, device=rows.device)

    def predict(x: Tensor, t: float) -> Tensor:
        nonlocal moved, length
        times = torch.full((pictures,), t, device=x.device)
        answer, now = base(x, times, rows), tuned_output(x, times, rows)
        own, theirs = (output.double().chunk(2, dim=1)[0] for output in (answer, now))
        moved, length = moved + (theirs - own).square().sum(), length + own.square().sum()
        return answer

    process.sample(process.FIRST_ORDER, predict, noise, steps, lambda: noise)
    return float((moved / length).sqrt())


def with_conditions_of(tuned: DiT, base: DiT) -> DiT:
    """`tuned` with the class table of `base`; neither changes."""
    network = copy.copy(tuned)
    network._modules = tuned._modules | {"y_embedder": base.y_embedder}
    return network
