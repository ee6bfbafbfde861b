"""GELU's sigmoid form, and its tables of bfloat16, beside torch's own kernel in double precision."""

import pytest
import torch
from torch.nn import functional as F

from finefit.models.gelu import gelu


def test_values_and_derivatives_are_those_of_torch():
    """Within ten roundings of float32, at extreme inputs too."""
    x = torch.cat([torch.linspace(-12, 12, 10_001), torch.tensor([-1e12, -1e4, 0.0, 1e4, 1e12])])
    rounded, exact = x.clone().requires_grad_(), x.double().requires_grad_()
    ours, theirs = gelu(rounded), F.gelu(exact, approximate="tanh")
    ours.sum().backward()
    theirs.sum().backward()
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(rounded.grad.double(), exact.grad, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_nothing_is_kept_where_no_gradient_is_asked(kind):
    x = torch.randn(8, dtype=kind)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(kept.append, lambda tensor: tensor):
        gelu(x)
        assert not kept
        gelu(x.requires_grad_())
    assert [tensor.shape for tensor in kept] == [x.shape]


def test_every_bfloat16_number_gets_the_nearest_value_and_derivative():
    """All 65,536 of them: what float64 gives, rounded once; 1 + tanh itself is known to 1e-16."""
    x = torch.arange(2**16, dtype=torch.int32).to(torch.uint16).view(torch.bfloat16)
    rounded, exact = x.clone().requires_grad_(), x.double().requires_grad_()
    ours, theirs = gelu(rounded), F.gelu(exact, approximate="tanh")
    ours.sum().backward()
    theirs.sum().backward()
    torch.testing.assert_close(ours, theirs.bfloat16(), rtol=0, atol=1e-14, equal_nan=True)
    torch.testing.assert_close(rounded.grad, exact.grad.bfloat16(), rtol=0, atol=1e-14, equal_nan=True)


def test_tables_serve_any_layout():
    x = torch.randn(6, 8).bfloat16()
    assert torch.equal(gelu(x.T), gelu(x).T)
    assert gelu(x[:0]).shape == (0, 8)
