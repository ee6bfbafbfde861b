"""Two networks on one base as one: the first half of a batch goes through the one, the second through the other.

Guidance away from the untouched base (Domain Guidance, Zhong et al. 2025, arXiv 2504.01521), or from a network that was
trained for less long, asks two networks at every step. They share every tensor that neither trained, so the second
costs the memory of its own tensors alone. Whatever parts are the same in both see the whole batch at once; parts that
differ see their half of it each, and so does a layer whose bias alone was trained: its two halves read one matrix.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from finefit.models.dit import DiT


class Halves(nn.Module):
    """Two modules, each for its half of a batch; what it is called with is `[2n, ...]` each."""

    def __init__(self, first: nn.Module, second: nn.Module):
        super().__init__()
        self.halves = nn.ModuleList([first, second])

    def forward(self, *inputs: Tensor) -> Tensor:
        parts = zip(*(each.chunk(2) for each in inputs), strict=True)
        return torch.cat([half(*part) for half, part in zip(self.halves, parts, strict=True)])


def beside(first: DiT, second: DiT) -> DiT:
    """A network whose batches are twice as large: labels of `first`'s class table, then as many of `second`'s.

    Both have to be as they were loaded: moved to a device or rounded, they no longer share memory.

    Raises:
        ValueError: their latents or sizes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"{first.shape} and {second.shape} cannot stand beside each other")
    share(first, second)
    return together(first, second)


def share(first: DiT, second: DiT) -> None:
    """Let `second` hold `first`'s own parameters wherever both stand on the same memory, so that they move as one."""
    known = {parameter.data_ptr(): parameter for parameter in first.parameters()}
    for name, parameter in list(second.named_parameters()):
        same = known.get(parameter.data_ptr())
        if same is not None and same.shape == parameter.shape:
            owner, _, leaf = name.rpartition(".")
            second.get_submodule(owner).register_parameter(leaf, same)
    second.pos_embed = first.pos_embed  # a function of the shape, which is the same


def together(first: nn.Module, second: nn.Module) -> nn.Module:
    """One module for both halves of a batch: `first` itself where the two are the same, down to where they differ."""
    if alike(first.named_parameters(), second.named_parameters()):
        return first
    mine, theirs = dict(first.named_children()), dict(second.named_children())
    own = alike(first.named_parameters(recurse=False), second.named_parameters(recurse=False))
    if not mine or not own or mine.keys() != theirs.keys() or type(first) is not type(second):
        return Halves(first, second)
    both = copy.copy(first)
    both._modules = first._modules | {name: together(mine[name], theirs[name]) for name in mine}
    return both


def alike(first: Iterator[tuple[str, nn.Parameter]], second: Iterator[tuple[str, nn.Parameter]]) -> bool:
    """Whether two modules hold the same parameters under the same names."""
    mine, theirs = dict(first), dict(second)
    return mine.keys() == theirs.keys() and all(mine[name] is theirs[name] for name in mine)
