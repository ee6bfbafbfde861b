"""The class-conditional Diffusion Transformer with adaLN-Zero blocks (DiT, Peebles and Xie 2023, section 3).

Parameter names are the published ones, so that public checkpoints load strictly. Places where a fine-tuning method
may add something (scale factors, LayerNorm's affine part, prompts, adapters) exist and are `None` until it does.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from finefit.models.embedders import LabelEmbedder, TimestepEmbedder, position_embedding
from finefit.models.factors import scaled_linear
from finefit.models.gelu import gelu
from finefit.models.passes import attended, gated, modulate, split
from finefit.models.shapes import Shape

FUSED_FROM = 1025  # tokens


class Attention(nn.Module):
    """Multi-head self-attention over tokens `[n, tokens, dim]`."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.register_parameter("gamma_qkv", None)
        self.register_parameter("gamma_proj", None)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens to tokens, without `gamma_proj`: the block has it in its gate."""
        qkv = self.qkv(x) if self.gamma_qkv is None else scaled_linear(x, self.qkv, self.gamma_qkv)
        return self.proj(attend(qkv, self.heads))


class Mlp(nn.Module):
    """Two-layer perceptron with four times the width inside and the tanh form of GELU."""

    def __init__(self, dim: int):
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)
        self.register_module("adapter", None)

    def forward(self, x: Tensor) -> Tensor:
        out = self.fc2(gelu(self.fc1(x)))
        return out if self.adapter is None else out + self.adapter(x)


class Block(nn.Module):
    """Transformer block whose norms are shifted, scaled and gated by the condition (adaLN-Zero)."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)
        self.mlp = Mlp(dim)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.register_parameter("gamma1", None)
        self.register_parameter("gamma2", None)
        self.register_parameter("prompt", None)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Tokens `[n, tokens, dim]` and condition `[n, dim]` to tokens; a prompt takes part and is dropped again."""
        if self.prompt is None:
            return self.transformed(x, c)
        prompted = torch.cat([self.prompt.expand(len(x), -1, -1), x], dim=1)
        return self.transformed(prompted, c)[:, len(self.prompt) :]

    def transformed(self, x: Tensor, c: Tensor) -> Tensor:
        """All tokens through attention and perceptron."""
        condition = self.adaLN_modulation(c)[:, None].to(x.dtype)  # 1 + scale would lose most of a bfloat16 scale
        shift1, scale1, gate1, shift2, scale2, gate2 = condition.chunk(6, dim=-1)
        # Beside another network the attention may be a pair, which has no factors where the block has none.
        gate1 = scaled(scaled(gate1, self.gamma1), getattr(self.attn, "gamma_proj", None))
        gate2 = scaled(gate2, self.gamma2)
        x = gated(x, gate1, self.attn(modulate(self.norm1(x), shift1, scale1)))
        return gated(x, gate2, self.mlp(modulate(self.norm2(x), shift2, scale2)))


class FinalLayer(nn.Module):
    """Modulated norm and the linear map from tokens to patches of noise and variance."""

    def __init__(self, dim: int, patch: int, out_channels: int):
        super().__init__()
        self.norm_final = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)
        self.linear = nn.Linear(dim, patch * patch * out_channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, 2 * dim))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(c)[:, None].to(x.dtype).chunk(2, dim=-1)
        with torch.autocast(x.device.type, enabled=False):
            return self.linear(modulate(self.norm_final(x), shift, scale))


class PatchEmbed(nn.Module):
    """Non-overlapping patches of the latent to tokens, as a strided convolution (its published form)."""

    def __init__(self, channels: int, patch: int, dim: int):
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, kernel_size=patch, stride=patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class DiT(nn.Module):
    """Predicts noise and learned-range variance of a noised latent, given timestep and label.

    Args:
        shape: size, patch and latent geometry.
        y_embedder: the class table; its width must be the network's.

    Under autocast the layers of `EXACT` compute as without it, and what adaLN gives is applied in the precision of the
    residual stream: a thousandth of the arithmetic, and most of what rounding does to a sample.
    """

    EXACT = ("x_embedder", "t_embedder", "y_embedder", "final_layer.linear")

    def __init__(self, shape: Shape, y_embedder: LabelEmbedder):
        super().__init__()
        dim = shape.width
        self.shape = shape
        self.recompute = False  # blocks' activations in the backward pass, instead of keeping them
        self.x_embedder = PatchEmbed(shape.latent_channels, shape.patch, dim)
        self.t_embedder = TimestepEmbedder(dim)
        self.y_embedder = y_embedder
        positions = position_embedding(dim, shape.grid, shape.coordinate_scale)
        self.pos_embed = nn.Parameter(positions, requires_grad=False)
        self.blocks = nn.ModuleList([Block(dim, shape.heads) for _ in range(shape.depth)])
        self.final_layer = FinalLayer(dim, shape.patch, 2 * shape.latent_channels)
        self.initialize()

    def initialize(self) -> None:
        """DiT's initialisation: Xavier everywhere, adaLN and the last layer zero, so every block starts as identity."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight.view(module.weight.shape[0], -1))
                nn.init.zeros_(module.bias)
        for layer in (self.y_embedder.embedding_table, self.t_embedder.mlp[0], self.t_embedder.mlp[2]):
            nn.init.normal_(layer.weight, std=0.02)
        for layer in [block.adaLN_modulation[1] for block in self.blocks] + [
            self.final_layer.adaLN_modulation[1],
            self.final_layer.linear,
        ]:
            nn.init.zeros_(layer.weight)

    def forward(self, x: Tensor, t: Tensor, rows: Tensor, *scale: Tensor) -> Tensor:
        """Latents `[n, c, h, w]`, timesteps `[n]`, class-table rows `[n]` to noise and variance `[n, 2c, h, w]`.

        `scale` `[n]` of guidance, where an objective let the network take it; 1 where left out.
        """
        with torch.autocast(x.device.type, enabled=False):
            c = self.t_embedder(t) + self.y_embedder(rows, *scale)
            x = self.x_embedder(x) + self.pos_embed
        for block in self.blocks:
            if self.recompute and self.training:
                x = checkpoint(block, x, c, use_reentrant=False, preserve_rng_state=False)
            else:
                x = block(x, c)
        return self.unpatchify(self.final_layer(x, c))

    def unpatchify(self, x: Tensor) -> Tensor:
        """Tokens `[n, grid * grid, patch * patch * channels]` to maps `[n, channels, h, w]`."""
        n, tokens, _ = x.shape
        grid, patch, channels = int(tokens**0.5), self.shape.patch, 2 * self.shape.latent_channels
        x = x.view(n, grid, grid, patch, patch, channels).permute(0, 5, 1, 3, 2, 4)
        return x.reshape(n, channels, grid * patch, grid * patch)


def attend(qkv: Tensor, heads: int) -> Tensor:
    """Scaled dot-product attention of `[n, tokens, 3 * dim]`, `[n, tokens, dim]`; on a CPU in bfloat16 by plain matrix
    products (`finefit.models.passes`).

    Forward and backward, torch's fused kernel takes one and a half to six times as long there. What the products keep
    grows with the square of the tokens: from `FUSED_FROM` on the kernel takes over, in float32, since its backward
    pass in bfloat16 is ten times slower on some processors.
    """
    if qkv.device.type != "cpu" or qkv.dtype != torch.bfloat16:
        out = F.scaled_dot_product_attention(*split(qkv, heads))
    elif qkv.shape[1] < FUSED_FROM:
        return attended(qkv, heads)
    else:
        with torch.autocast("cpu", enabled=False):
            out = F.scaled_dot_product_attention(*split(qkv, heads).float()).to(qkv.dtype)
    return out.transpose(1, 2).reshape(*qkv.shape[:2], qkv.shape[-1] // 3)  # -1 says nothing of no pictures


def scaled(gate: Tensor, gamma: Tensor | None) -> Tensor:
    """`gate * gamma` where a method added scale factors, else `gate`: what it gates is not passed over once more."""
    return gate if gamma is None else gate * gamma
