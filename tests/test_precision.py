"""What computes in float32 under bfloat16 autocast is named here; scale factors against their plain form."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from tiny import BASE, BASE_FILE, run_of, shaken
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from finefit import methods, objectives
from finefit.deltas.beside import beside
from finefit.deltas.merge import merged
from finefit.deltas.network import network, unconditional
from finefit.jobs.devices import store_frozen_as_bfloat16
from finefit.models.dit import DiT
from finefit.models.factors import scaled_linear
from finefit.models.shapes import Shape
from finefit.objectives import Material, Networks

PICTURES, TOKENS, WIDTH = 2, 64, Shape("Mini", 2, 16).width
VIEWS = {"view", "_unsafe_view", "transpose", "permute", "expand", "slice", "unbind", "split", "cat", "alias", "t"}
NORM = {"native_layer_norm"}
# Operators that may take or give float32 tensors as large as a token's activations, by the module that calls them.
FORWARD = {
    "x_embedder": set(),
    "x_embedder.proj": {"convolution"},  # the first layer
    "": {"add"},  # positions; the two halves of a batch, split and joined
    # adaLN's shift, scale and gates, and the residual stream, to whose precision a branch is lifted, gated and added
    "blocks.N": {"addcmul", "mul", "add", "_to_copy", "mul_", "add_"},
    "blocks.N.norm": NORM,
    "final_layer": {"addcmul"},
    "final_layer.norm_final": NORM,
    "final_layer.linear": {"addmm"},  # the last layer
    "ROUNDED": {"_to_copy"},  # every other layer: what comes in is rounded, and nothing else
}
# Their derivatives: the first and the last layer's, norms, products with what a condition gave.
BACKWARD = {"mm", "convolution_backward", "native_layer_norm_backward", "mul", "sum", "add", "_to_copy"}
BACKWARD |= {"slice_backward", "zeros", "copy_", "add_", "mul_", "new_empty_strided", "detach", "addcmul"}


def is_activation(tensor: Tensor) -> bool:
    """Whether it holds as many numbers as the tokens have, and is no matrix of weights."""
    return tensor.numel() >= PICTURES * TOKENS * WIDTH and (tensor.ndim > 2 or len(tensor) == PICTURES * TOKENS)


class Float32(TorchDispatchMode):
    """Operators that see a float32 activation, as (module, operator)."""

    def __init__(self, *models: DiT):
        super().__init__()
        self.seen: set[tuple[str, str]] = set()
        self.inside: list[str] = []
        for model in models:
            for name, module in model.named_modules():
                place = re.sub(r"norm\d", "norm", re.sub(r"blocks\.\d+", "blocks.N", name))
                module.register_forward_pre_hook(lambda *_, place=place: self.inside.append(place))
                module.register_forward_hook(lambda *_: self.leave())

    def leave(self) -> None:
        self.inside.pop()

    def __torch_dispatch__(self, operator: Any, types: Any, given: tuple = (), options: dict | None = None) -> Any:
        made = operator(*given, **(options or {}))
        tensors = [one for one in tree_leaves((given, options, made)) if isinstance(one, Tensor)]
        if any(one.dtype == torch.float32 and is_activation(one) for one in tensors):
            self.seen.add((self.inside[-1] if self.inside else "backward", operator.overloadpacket.__name__))
        return made

    def unnamed(self) -> set[tuple[str, str]]:
        """What was seen and is no exception of this file."""
        return {
            (place, operator)
            for place, operator in self.seen
            if operator not in VIEWS | (BACKWARD if place == "backward" else FORWARD.get(place, FORWARD["ROUNDED"]))
        }


def low(model: DiT) -> DiT:
    store_frozen_as_bfloat16(model)
    return model.train()


def autocast(model: nn.Module):
    def answer(*inputs: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return model(*inputs)

    return answer


def batch() -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(0)
    latents, noise = (torch.randn(PICTURES, 4, 16, 16, generator=chance) for _ in range(2))
    t = torch.randint(0, 1000, (PICTURES,), generator=chance)
    return {"latents": latents, "noise": noise, "t": t, "rows": torch.zeros_like(t), "places": torch.arange(PICTURES)}


@pytest.mark.parametrize("method", methods.names())
def test_no_method_leaves_the_low_precision(method):
    model = low(network(run_of(method), BASE))
    with Float32(model) as watched:
        given = batch()
        autocast(model)(given["latents"], given["t"], given["rows"]).square().mean().backward()
    assert not watched.unnamed()
    assert ("blocks.N", "addcmul") in watched.seen  # it does look


def test_guidance_away_from_the_base_stays_low():
    model = low(beside(network(run_of("difffit"), BASE), unconditional(BASE_FILE, Shape("Mini", 2, 16), "last")))
    with Float32(model) as watched, torch.no_grad():
        given = batch()
        autocast(model)(given["latents"], given["t"], given["rows"])
    assert not watched.unnamed()


def test_it_sees_a_factor_that_lifts():
    """The fault that this file was written for: a float32 factor on a rounded activation."""

    class Lifting(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * torch.ones(self.out_features)

    model = network(run_of("bitfit"), BASE)
    block = model.blocks[0]
    lifting = Lifting(WIDTH, 3 * WIDTH)
    lifting.load_state_dict(block.attn.qkv.state_dict())
    block.attn.qkv = lifting
    with Float32(low(model)) as watched:
        given = batch()
        autocast(model)(given["latents"], given["t"], given["rows"])
    assert ("blocks.N.attn.qkv", "mul") in watched.unnamed()


def plain(x: Tensor, layer: nn.Linear, gamma: Tensor) -> Tensor:
    """DiffFit's equation as it is printed."""
    return gamma * (x @ layer.weight.T + layer.bias)


def test_factors_of_a_layer_are_the_printed_ones_with_their_gradients():
    torch.manual_seed(0)
    layer = nn.Linear(5, 7).double()
    x, gamma = torch.randn(2, 3, 5).double().requires_grad_(), torch.randn(7).double()
    gamma[2] = 0.0
    gamma.requires_grad_()
    weights = torch.randn(2, 3, 7).double()
    wanted = [x, gamma, layer.weight, layer.bias]
    y, expected = scaled_linear(x, layer, gamma), plain(x, layer, gamma)
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-11)
    found, right = (torch.autograd.grad((each * weights).sum(), wanted) for each in (y, expected))
    for one, other in zip(found, right, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_factors_of_a_layer_under_autocast():
    torch.manual_seed(0)
    layer, gamma = nn.Linear(64, 96), (1 + 0.3 * torch.randn(96)).requires_grad_()
    x = torch.randn(8, 16, 64)
    with torch.autocast("cpu", torch.bfloat16):
        y = scaled_linear(x, layer, gamma)
    assert y.dtype == torch.bfloat16
    expected = plain(x, layer, gamma)
    assert (y.float() - expected).norm() < 2**-7 * expected.norm()
    (found,) = torch.autograd.grad(y.float().square().sum(), gamma)
    (right,) = torch.autograd.grad(expected.square().sum(), gamma)
    assert (found - right).norm() < 2**-7 * right.norm()


def multiply_output(layer: nn.Module, gamma: Tensor) -> None:
    layer.register_forward_hook(lambda _, __, y: y * gamma)


def test_a_network_with_factors_is_the_one_with_its_branches_multiplied():
    """Against a block written with a product on every branch, and merged into the base's own layers."""
    model = shaken(network(run_of("difffit"), BASE)).double()
    x, t, rows = torch.randn(2, 4, 16, 16).double(), torch.tensor([10, 700]), torch.tensor([0, 1])
    with torch.no_grad():
        found = model(x, t, rows)
        for block in model.blocks:
            if block.gamma1 is None:
                continue
            for layer, name in ((block.attn.qkv, "gamma_qkv"), (block.attn.proj, "gamma_proj")):
                multiply_output(layer, getattr(block.attn, name))
                block.attn.register_parameter(name, None)
            for layer, name in ((block.attn, "gamma1"), (block.mlp, "gamma2")):
                multiply_output(layer, getattr(block, name))
                block.register_parameter(name, None)
        torch.testing.assert_close(found, model(x, t, rows), rtol=1e-12, atol=1e-12)


def test_merged_factors_answer_the_same():
    model = shaken(network(run_of("difffit"), BASE)).double()
    x, t, rows = torch.randn(2, 4, 16, 16).double(), torch.tensor([10, 700]), torch.tensor([0, 1])
    with torch.no_grad():
        torch.testing.assert_close(merged(model)(x, t, rows), model(x, t, rows), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("objective", objectives.names())
def test_no_objective_leaves_the_low_precision(objective):
    run = run_of("difffit") | {"objective": {"name": objective}}
    model, base = low(network(run, BASE)), low(unconditional(BASE_FILE, Shape("Mini", 2, 16), "last"))
    module = objectives.find(objective)
    made = module.Objective(
        module.Settings(), Material(10, model.y_embedder.null_row, torch.randn(PICTURES, 4, 16, 16))
    )
    part = batch()
    part |= made.vary(part, torch.Generator().manual_seed(0), 0)
    with Float32(model, base) as watched:
        made.losses(part, Networks(autocast(model), autocast(model), autocast(base))).mean().backward()
    assert not watched.unnamed()
