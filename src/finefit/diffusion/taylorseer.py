"""Fewer evaluations: what a network's blocks add to the tokens changes smoothly from step to step of a sampler.

TaylorSeer (Liu et al. 2025, arXiv 2503.06923) at first order, on all blocks at once: at every so many steps they are
evaluated, and between these their part is continued on the line through its last two values. Embedding of latents and
timestep, and the last layer, are evaluated at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from finefit.models.dit import DiT


class Line:
    """A tensor evaluated at every `every`-th call; between, it continues the line through its last two values."""

    def __init__(self, every: int):
        self.every, self.ahead = every, 0
        self.known: list[Tensor] = []

    def __call__(self, evaluate: Callable[[], Tensor]) -> Tensor:
        self.ahead = (self.ahead + 1) % self.every if self.known else 0
        if self.ahead == 0:
            self.known = [*self.known[-1:], evaluate()]
        last, first = self.known[-1], self.known[0]
        return last + (last - first) * (self.ahead / self.every)


class Forecast(nn.Module):
    """Blocks as one, of which what it adds to the tokens is a `Line`; a batch of another shape begins a new one."""

    def __init__(self, blocks: nn.ModuleList, every: int):
        super().__init__()
        self.blocks, self.line = blocks, Line(every)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Tokens `[n, tokens, dim]` and condition `[n, dim]` to tokens."""
        if self.line.known and self.line.known[-1].shape != x.shape:
            self.line = Line(self.line.every)

        def added() -> Tensor:
            out = x
            for block in self.blocks:
                out = block(out, c)
            return out - x

        return x + self.line(added)


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
