"""Fewer passes over memory give the bits of autograd's own operators: forms alone, and whole trainings."""

from __future__ import annotations

import argparse
import copy

import pytest
import torch
from torch import Tensor

from benchmarks.speed import plain
from benchmarks.speed.passes import same
from finefit.models import dit, passes

TOKENS = 17


def passed(form, inputs: list[Tensor], *more: object) -> list[Tensor]:
    """A form's output, and the gradients of its inputs from one gradient of the output."""
    leaves = [one.clone().requires_grad_() for one in inputs]
    output = form(*leaves, *more)
    pulled = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(output.dtype)
    return [output.detach(), *torch.autograd.grad(output, leaves, pulled)]


def numbers(*shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for shape in shapes]


@pytest.mark.parametrize("low", [False, True], ids=["float32", "bfloat16"])
def test_forms_have_the_bits_of_plain_ones(low):
    x, shift, scale, branch = numbers((3, TOKENS, 24), (3, 1, 24), (3, 1, 24), (3, TOKENS, 24))
    branch = branch.bfloat16() if low else branch
    pairs = [(passes.modulate, plain.modulate, [x, shift, scale]), (passes.gated, plain.gated, [x, scale, branch])]
    if low:
        pairs.append((passes.attended, plain.attended, [branch]))
    for ours, theirs, inputs in pairs:
        more = (4,) if ours is passes.attended else ()
        found, expected = (passed(form, inputs, *more) for form in (ours, theirs))
        assert all(map(torch.equal, found, expected)), ours.__name__
        assert [one.dtype for one in found] == [one.dtype for one in expected]


def test_what_needs_no_gradient_gets_none():
    x, shift, scale, branch = numbers((3, TOKENS, 24), (3, 1, 24), (3, 1, 24), (3, TOKENS, 24))
    for form, inputs in ((passes.modulate, [x, shift, scale]), (passes.gated, [x, scale, branch])):
        for one in range(3):
            asked = [copy.deepcopy(part).requires_grad_(place == one) for place, part in enumerate(inputs)]
            form(*asked).sum().backward()
            assert [part.grad is not None for part in asked] == [place == one for place in range(3)]


@pytest.mark.parametrize(
    "method", ["full", "bitfit", "difffit", "finediffusion", "lora", "adaptformer", "vpt", "labels"]
)
def test_fifty_steps_leave_the_same_bits(method):
    given = argparse.Namespace(size="Mini", patch=2, latent=8, batch=2, device="cpu")
    assert same(method, given, 50, "bfloat16")


def test_other_bits_are_seen(monkeypatch):
    """What the test above would say of a gate that is rounded."""
    monkeypatch.setattr(dit, "gated", lambda x, gate, y: x + gate.bfloat16() * y)
    given = argparse.Namespace(size="Mini", patch=2, latent=8, batch=2, device="cpu")
    assert not same("bitfit", given, 2, "bfloat16")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_rank_without_pictures_attends_to_nothing(dtype):
    found, gradient = passed(dit.attend, [torch.zeros(0, TOKENS, 24, dtype=dtype)], 4)
    assert found.shape == (0, TOKENS, 8) and gradient.shape == (0, TOKENS, 24)
