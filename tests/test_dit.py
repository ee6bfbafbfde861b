"""The network against an independent implementation (diffusers) and the papers' parameter counts."""

from __future__ import annotations

import copy
import math
from decimal import Decimal

import pytest
import torch

from finefit.jobs.torchvision_shim import importable_torchvision
from finefit.models.dit import FUSED_FROM, DiT, attend
from finefit.models.embedders import LabelEmbedder, position_embedding
from finefit.models.shapes import Shape
from finefit.outlook.counts import agreement, counted


def randomised(model: torch.nn.Module) -> torch.nn.Module:
    """Every trained parameter drawn at random, so that nothing is hidden by a zero initialisation."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return model


def diffusers_state(state: dict[str, torch.Tensor], depth: int, dim: int) -> dict[str, torch.Tensor]:
    """Our parameters under the names of diffusers' DiTTransformer2DModel, which embeds t and y once per block."""
    renamed = {
        "pos_embed.proj": "x_embedder.proj",
        "proj_out_1": "final_layer.adaLN_modulation.1",
        "proj_out_2": "final_layer.linear",
    }
    for number in range(depth):
        block = f"transformer_blocks.{number}"
        renamed |= {
            f"{block}.norm1.emb.timestep_embedder.linear_1": "t_embedder.mlp.0",
            f"{block}.norm1.emb.timestep_embedder.linear_2": "t_embedder.mlp.2",
            f"{block}.norm1.emb.class_embedder.embedding_table": "y_embedder.embedding_table",
            f"{block}.norm1.linear": f"blocks.{number}.adaLN_modulation.1",
            f"{block}.attn1.to_out.0": f"blocks.{number}.attn.proj",
            f"{block}.ff.net.0.proj": f"blocks.{number}.mlp.fc1",
            f"{block}.ff.net.2": f"blocks.{number}.mlp.fc2",
        }
    result = {}
    for theirs, ours in renamed.items():
        for part in ("weight", "bias"):
            if f"{ours}.{part}" in state:
                result[f"{theirs}.{part}"] = state[f"{ours}.{part}"]
    for number in range(depth):
        for part in ("weight", "bias"):
            for name, rows in zip("qkv", state[f"blocks.{number}.attn.qkv.{part}"].split(dim), strict=True):
                result[f"transformer_blocks.{number}.attn1.to_{name}.{part}"] = rows
    return result


class PublishedSinusoid(torch.nn.Module):
    """DiT's timestep features as its paper's code has them: 10000^(-i / 128), cosines first; float64."""

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        angles = torch.stack([t * 10_000.0 ** (-i / 128) for i in range(128)], dim=1)
        return torch.cat([torch.cos(angles), torch.sin(angles)], dim=1)


@pytest.fixture(scope="module")
def reference():
    """A small network of ours in float64 and diffusers' with the same weights."""
    importable_torchvision()
    from diffusers import DiTTransformer2DModel

    model = randomised(DiT(Shape("Mini", 2, 8), LabelEmbedder(10, 192)).double())
    theirs = DiTTransformer2DModel(
        num_attention_heads=6,
        attention_head_dim=32,
        in_channels=4,
        out_channels=8,
        num_layers=6,
        sample_size=8,
        patch_size=2,
        num_embeds_ada_norm=10,
        norm_eps=1e-6,
    ).double()
    missing = theirs.load_state_dict(diffusers_state(model.state_dict(), 6, 192), strict=False)
    assert not missing.unexpected_keys
    assert all("pos_embed" in name for name in missing.missing_keys)
    theirs.pos_embed.pos_embed = model.pos_embed.data
    for (
        block
    ) in theirs.transformer_blocks:  # diffusers spaces the frequencies by 1 / 127, the published code by 1 / 128
        block.norm1.emb.time_proj = PublishedSinusoid()
    return model, theirs.eval()


def test_forward_and_gradients_equal_diffusers(reference):
    model, theirs = reference
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 4, 8, 8, generator=generator, dtype=torch.float64)
    t, rows = torch.tensor([0.0, 500.0, 999.0], dtype=torch.float64), torch.tensor([0, 4, 10])
    outputs, gradients = [], []
    for network, call in ((model, lambda z: model(z, t, rows)), (theirs, lambda z: theirs(z, t, rows).sample)):
        network.zero_grad()
        z = x.clone().requires_grad_()
        output = call(z)
        output.square().sum().backward()
        outputs.append(output.detach())
        gradients.append(z.grad)
    for ours, expected in (outputs, gradients):
        assert (ours - expected).norm() / expected.norm() < 1e-10


def test_forward_in_float32_equals_diffusers(reference):
    model, theirs = (copy.deepcopy(network).float() for network in reference)
    x = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    t, rows = torch.tensor([0.0, 10.0, 100.0]), torch.tensor([0, 4, 10])  # later, sin(t f) amplifies f's own rounding
    with torch.no_grad():
        ours, expected = model(x, t, rows), theirs(x, t, rows).sample
    assert (ours - expected).norm() / expected.norm() < 1e-5


@pytest.mark.parametrize("tokens", [64, 72, FUSED_FROM])  # by matrix products, with prompts, and by torch's kernel
def test_attention_in_bfloat16_is_the_exact_one_within_its_rounding(tokens):
    """Output and gradients beside float64's: 1 % in norm, where a single rounding (2^-9) gives 0.2 %."""
    generator = torch.Generator().manual_seed(2)
    qkv = torch.randn(2, tokens, 3 * 3 * 32, generator=generator).bfloat16()
    pulled = torch.randn(2, tokens, 3 * 32, generator=generator).bfloat16()
    found = []
    for kind in (torch.bfloat16, torch.float64):
        packed = qkv.clone().to(kind).requires_grad_()
        if kind == torch.float64:
            q, k, v = packed.view(2, tokens, 3, 3, 32).permute(2, 0, 3, 1, 4)
            weights = (q @ k.transpose(2, 3) / math.sqrt(32)).softmax(-1)
            output = (weights @ v).transpose(1, 2).reshape(pulled.shape)
        else:
            output = attend(packed, 3)
        output.backward(pulled.to(kind))
        found.append([output.detach().double(), *packed.grad.double().chunk(3, dim=-1)])
    for rounded, exact in zip(*found, strict=True):
        assert 0 < (rounded - exact).norm() / exact.norm() < 0.01


def test_positions_are_those_of_diffusers():
    importable_torchvision()
    from diffusers.models.embeddings import get_2d_sincos_pos_embed

    expected = torch.as_tensor(get_2d_sincos_pos_embed(192, 8, base_size=8, output_type="pt")).float()
    assert torch.allclose(position_embedding(192, 8)[0], expected.reshape(64, 192), atol=1e-6)


def test_halved_coordinates_span_the_old_range():
    fine, coarse = position_embedding(64, 8, 0.5)[0].view(8, 8, 64), position_embedding(64, 4)[0].view(4, 4, 64)
    assert torch.equal(fine[::2, ::2], coarse)


@pytest.mark.parametrize(
    ("method", "settings", "trained"),
    [  # PAPERS.md section E: DiffFit's Table 1 counts with 101 classes and a null row
        ("full", {}, 673_799_072),
        ("bitfit", {}, 607_136),
        ("lora", {"rank": 8}, 1_149_696),
        ("lora", {"rank": 16}, 2_181_888),
        ("adaptformer", {}, 4_280_320),
        ("difffit", {}, 835_232),
        ("difffit", {"layout": "two-D"}, 770_720),
        ("difffit", {"layout": "two-D", "blocks": (1, 28)}, 802_976),
    ],
)
def test_trained_counts_of_difffit_table_1(method, settings, trained):
    assert counted("DiT-XL/2", method, settings, 101, 1).trained == trained


def test_finediffusion_on_inaturalist_trains_the_published_share():
    count = counted("DiT-XL/2", "finediffusion", {}, 10_000, 11)
    assert (count.trained, count.total) == (12_153_632, 685_640_480)
    assert round(count.share, 4) == 1.7726


def test_bitfit_on_inaturalist_trains_the_published_count():
    assert counted("DiT-XL/2", "bitfit", {}, 10_000, 11).trained == 12_010_784


@pytest.mark.parametrize(
    ("value", "printed", "how"),
    [
        ("0.835232", "0.83", "truncated"),
        ("0.607136", "0.61", "rounded"),
        ("2.7947", "2.81", ""),
        ("673.79", "673.8", "rounded"),
    ],
)
def test_printed_digits_are_rounded_or_truncated_ones(value, printed, how):
    assert agreement(Decimal(value), printed) == how


def test_published_checkpoint_names():
    with torch.device("meta"):
        names = DiT(Shape("XL", 2, 32), LabelEmbedder(1000, 1152)).state_dict().keys()
    assert {
        "pos_embed",
        "x_embedder.proj.weight",
        "t_embedder.mlp.2.bias",
        "y_embedder.embedding_table.weight",
    } <= names
    assert {"blocks.27.attn.qkv.weight", "blocks.0.mlp.fc2.bias", "final_layer.adaLN_modulation.1.weight"} <= names
    assert len(names) == 1 + 2 + 4 + 1 + 28 * 10 + 4  # and nothing beyond what the public file holds
