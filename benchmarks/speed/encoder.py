"""A stand-in for the published autoencoder's encoder: its arithmetic with random weights, for timing only.

Written from the public configuration of sd-vae-ft (channels 128, 256, 512, 512, two residual blocks on each level,
attention in the middle), since the published training encodes every batch anew and its weights are not needed to know
how long that takes.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

CHANNELS, GROUPS, LATENT_CHANNELS = (128, 256, 512, 512), 32, 4


class Residual(nn.Module):
    """Two normalised convolutions beside a shortcut."""

    def __init__(self, channels: int, out: int):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(GROUPS, channels, eps=1e-6), nn.Conv2d(channels, out, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(GROUPS, out, eps=1e-6), nn.Conv2d(out, out, 3, padding=1)
        self.shortcut = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(y)))


class Attention(nn.Module):
    """One head of self-attention over all places."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels, eps=1e-6)
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        y = self.out(F.scaled_dot_product_attention(*self.qkv(tokens).chunk(3, dim=-1)))
        return x + y.transpose(1, 2).reshape(x.shape)


class Down(nn.Module):
    """Half the side: a strided convolution that pads below and to the right only."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


def encoder() -> nn.Sequential:
    """Pictures `[n, 3, 8 s, 8 s]` to means and log variances `[n, 8, s, s]`."""
    layers: list[nn.Module] = [nn.Conv2d(3, CHANNELS[0], 3, padding=1)]
    before = CHANNELS[0]
    for level, channels in enumerate(CHANNELS):
        layers += [Residual(before, channels), Residual(channels, channels)]
        layers += [Down(channels)] if level < len(CHANNELS) - 1 else []
        before = channels
    layers += [Residual(before, before), Attention(before), Residual(before, before)]
    layers += [nn.GroupNorm(GROUPS, before, eps=1e-6), nn.SiLU(), nn.Conv2d(before, 2 * LATENT_CHANNELS, 3, padding=1)]
    return nn.Sequential(*layers)
