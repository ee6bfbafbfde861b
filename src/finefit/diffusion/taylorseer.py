"""Fewer evaluations: what a network's blocks add to the tokens changes smoothly from step to step of a sampler.

TaylorSeer (Liu et al. 2025, arXiv 2503.06923) at first order, on all blocks at once: at every so many steps they are
evaluated, and between these their part is continued on the line through its last two values. Embedding of latents and
timestep, and the last layer, are evaluated at every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from finefit.models.dit import DiT


class Forecast(nn.Module):
    """Blocks as one that is evaluated at every `every`-th call, and whenever a batch of another shape comes."""

    def __init__(self, blocks: nn.ModuleList, every: int):
        super().__init__()
        self.blocks, self.every, self.ahead = blocks, every, 0
        self.known: list[Tensor] = []  # what the blocks added at the last two evaluations

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Tokens `[n, tokens, dim]` and condition `[n, dim]` to tokens."""
        if self.known and self.known[-1].shape != x.shape:
            self.known = []
        self.ahead = (self.ahead + 1) % self.every if self.known else 0
        if self.ahead == 0:
            out = x
            for block in self.blocks:
                out = block(out, c)
            self.known = [*self.known[-1:], out - x]
        last, first = self.known[-1], self.known[0]
        return x + last + (last - first) * (self.ahead / self.every)


@contextmanager
def forecasting(model: DiT, every: int) -> Iterator[None]:
    """Inside, one sampling by `model` evaluates its blocks at every `every`-th step alone; 1 changes nothing."""
    networks = [network for network in model.modules() if isinstance(network, DiT)] if every > 1 else []
    blocks = [network.blocks for network in networks]
    for network in networks:
        network.blocks = nn.ModuleList([Forecast(network.blocks, every)])
    try:
        yield
    finally:
        for network, own in zip(networks, blocks, strict=True):
            network.blocks = own
