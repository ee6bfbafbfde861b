"""Scale factors of a linear layer's outputs (DiffFit, arXiv 2304.06648) without a pass over its activations.

    gamma (W x + b) = (gamma W) x + gamma b,        d/dgamma = sum dy (W x + b) = sum(dy y) / gamma

The first is a product of the layer's own size, the second one reduction of what the layer gave anyway. A float32 factor
that multiplied the activations themselves would lift them, and attention after them, out of autocast's low precision.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TINY = 1e-12  # in place of a factor of exactly zero, whose gradient the quotient could not tell


def scaled_linear(x: Tensor, layer: nn.Linear, gamma: Tensor) -> Tensor:
    """`gamma * layer(x)` for `x` `[..., in]` and factors `[out]`: `[..., out]`, in the precision of `layer(x)`."""
    fixed = torch.where(gamma == 0, TINY, gamma).detach()
    return FactorGradient.apply(F.linear(x, fixed[:, None] * layer.weight, fixed * layer.bias), gamma, fixed)


class FactorGradient(torch.autograd.Function):
    """`y` as it is; the factors `gamma`, which are in it by their values `fixed`, get their gradient."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, gamma: Tensor, fixed: Tensor) -> Tensor:
        ctx.save_for_backward(y, fixed)
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None]:
        y, fixed = ctx.saved_tensors
        if not ctx.needs_input_grad[1]:
            return gradient, None, None
        return gradient, (gradient * y).flatten(0, -2).sum(0, dtype=fixed.dtype) / fixed, None
