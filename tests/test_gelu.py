"""GELU's sigmoid form beside torch's own kernel in double precision."""

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


def test_nothing_is_kept_where_no_gradient_is_asked():
    x = torch.randn(8)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(kept.append, lambda tensor: tensor):
        gelu(x)
        assert not kept
        gelu(x.requires_grad_())
    assert [tensor.shape for tensor in kept] == [x.shape]
