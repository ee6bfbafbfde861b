"""A block's elementwise work in fewer passes over memory on a CPU, to the bit what autograd's own operators give.

    modulate    x (1 + scale) + shift    autograd multiplies x by one before it multiplies by the gradient
    gated       x + gate y               autograd makes three arrays where one does, here and in its backward pass
    attended    attention of bfloat16    autograd copies queries, keys and values once more than the products need, and
                                         their gradients twice

Rounding is where it was: no product is fused with a sum that was not, no sum is taken in another order. Elsewhere than
on a CPU the plain forms stand, which a compiler fuses.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """`x * (1 + scale) + shift` of tokens `[n, tokens, dim]`, the condition `[n, 1, dim]` shared by all tokens."""
    factor = 1 + scale
    if x.device.type == "cpu" and x.dtype == shift.dtype == factor.dtype:
        return Modulate.apply(x, shift, factor)
    return torch.addcmul(shift, x, factor)


def gated(x: Tensor, gate: Tensor, y: Tensor) -> Tensor:
    """`x + gate * y` of tokens `[n, tokens, dim]` and a gate `[n, 1, dim]`; `y` may be of lower precision."""
    if x.device.type == "cpu" and x.dtype == gate.dtype == torch.promote_types(gate.dtype, y.dtype):
        return Gated.apply(x, gate, y)
    return x + gate * y


def attended(qkv: Tensor, heads: int) -> Tensor:
    """Scaled dot-product attention of bfloat16 `[n, tokens, 3 * dim]` by plain matrix products: `[n, tokens, dim]`."""
    with torch.autocast("cpu", enabled=False):  # which takes a softmax in float32
        return Attended.apply(qkv, heads)


class Modulate(torch.autograd.Function):
    """`x * factor + shift`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shift: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(x, factor)
        return torch.addcmul(shift, x, factor)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, factor = ctx.saved_tensors
        of_x, of_shift, of_factor = ctx.needs_input_grad
        return (
            gradient * factor if of_x else None,
            gradient.sum_to_size(factor.shape) if of_shift else None,
            (gradient * x).sum_to_size(factor.shape) if of_factor else None,
        )


class Gated(torch.autograd.Function):
    """`x + gate * y`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gate: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(gate, y)
        return product(y, gate).add_(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        gate, y = ctx.saved_tensors
        of_x, of_gate, of_y = ctx.needs_input_grad
        return (
            gradient if of_x else None,
            product(y, gradient).sum_to_size(gate.shape) if of_gate else None,
            (gradient * gate).to(y.dtype) if of_y else None,
        )


def product(low: Tensor, other: Tensor) -> Tensor:
    """`low * other` in the precision of `other`, a new tensor: the one that `low` is lifted to, where it is lifted."""
    lifted = low.to(other.dtype)
    return low * other if lifted is low else lifted.mul_(other)


class Attended(torch.autograd.Function):
    """Attention of queries, keys and values in one array `[n, tokens, 3 * dim]`.

    Keys lie as autograd multiplies them, `[channels, tokens]`: a processor without units for bfloat16 adds in an order
    that depends on it.
    """

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, heads: int) -> Tensor:
        n, tokens, width = qkv.shape
        parts = split(qkv, heads)
        ctx.heads, ctx.scale = heads, parts.shape[-1] ** -0.5
        q = torch.mul(parts[0], ctx.scale, out=torch.empty(parts.shape[1:], dtype=qkv.dtype)).flatten(0, 1)
        k = parts[1].transpose(2, 3).contiguous().flatten(0, 1)
        v = parts[2].contiguous().flatten(0, 1)
        weights = torch.bmm(q, k).softmax(-1)
        ctx.save_for_backward(q, k, v, weights)
        return torch.bmm(weights, v).view(parts.shape[1:]).transpose(1, 2).reshape(n, tokens, width // 3)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        q, k, v, weights = ctx.saved_tensors
        n, tokens, dim = gradient.shape
        gradient = gradient.view(n, tokens, ctx.heads, dim // ctx.heads).transpose(1, 2).reshape(q.shape)
        of_weights = torch.bmm(gradient, v.transpose(1, 2))
        of_scores = torch._softmax_backward_data(of_weights, weights, -1, weights.dtype)
        whole = gradient.new_empty(n, tokens, 3 * dim)
        parts = split(whole, ctx.heads)
        torch.mul(torch.bmm(of_scores, k.transpose(1, 2)).view(parts.shape[1:]), ctx.scale, out=parts[0])
        of_k = torch.bmm(q.transpose(1, 2), of_scores).transpose(1, 2)
        parts[1].copy_(of_k.view(parts.shape[1:]))
        parts[2].copy_(torch.bmm(weights.transpose(1, 2), gradient).view(parts.shape[1:]))
        return whole, None


def split(qkv: Tensor, heads: int) -> Tensor:
    """Queries, keys and values `[3, n, heads, tokens, channels]` of `[n, tokens, 3 * dim]`, a view."""
    n, tokens, width = qkv.shape
    return qkv.view(n, tokens, 3, heads, width // (3 * heads)).permute(2, 0, 3, 1, 4)
