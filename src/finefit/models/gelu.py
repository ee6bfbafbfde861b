"""The tanh form of GELU (Hendrycks and Gimpel 2016, section 2), in half the time on a CPU.

    gelu(x) = x (1 + tanh u) / 2 = x sigmoid(2 u),    2 u = RATE (x + CUBIC x^3)

torch's kernel takes the tanh, for which a CPU needs three times as long as for a sigmoid, and takes it again for the
backward pass. In float32 the sigmoid form is used instead, and its derivative is kept in the place of x. In bfloat16,
which has 65,536 numbers, both are looked up in tables, correctly rounded.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

RATE, CUBIC = 2 * math.sqrt(2 / math.pi), 0.044715


def gelu(x: Tensor) -> Tensor:
    """GELU of every number of `x`."""
    if x.device.type == "cpu" and x.dtype == torch.float32:
        return SigmoidGelu.apply(x)
    if x.device.type == "cpu" and x.dtype == torch.bfloat16:
        return TableGelu.apply(x)
    return F.gelu(x, approximate="tanh")


class SigmoidGelu(torch.autograd.Function):
    """The sigmoid form, and its derivative kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y, derivative = sigmoid_form(x, ctx.needs_input_grad[0])
        if derivative is not None:
            ctx.save_for_backward(derivative)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * ctx.saved_tensors[0]


class TableGelu(torch.autograd.Function):
    """Of bfloat16: value and derivative looked up by the number's sixteen bits."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        bits = x.contiguous().view(torch.uint16).flatten().int()
        values, derivatives = tables()
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(derivatives.index_select(0, bits).view(x.shape))
        return values.index_select(0, bits).view(x.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * ctx.saved_tensors[0]


def sigmoid_form(x: Tensor, differentiate: bool) -> tuple[Tensor, Tensor | None]:
    """GELU, and where asked its derivative s + x s (1 - s) RATE (1 + 3 CUBIC x^2), with s the sigmoid."""
    square = x * x
    s = torch.addcmul(x, x, square, value=CUBIC).mul_(RATE).sigmoid_()
    y = x * s
    if not differentiate:
        return y, None
    derivative = square.mul_(3 * CUBIC * RATE).add_(RATE).mul_(y)
    return y, derivative.addcmul_(derivative, s, value=-1).add_(s)


@lru_cache(maxsize=1)
def tables() -> tuple[Tensor, Tensor]:
    """GELU and its derivative at every bfloat16 number, by its bits: computed in float64, bfloat16 `[65536]` each."""
    with torch.inference_mode(False), torch.no_grad():  # a table made while sampling serves training too
        numbers = torch.arange(2**16, dtype=torch.int32).to(torch.uint16).view(torch.bfloat16)
        values, derivatives = sigmoid_form(numbers.double(), True)
        return values.bfloat16(), derivatives.bfloat16()
