"""The decoder of TAEF2 (github madebyollin/taesd, MIT), 32 channels to pictures of eight times the side, for diffusers.

This file travels with exported weights and needs torch and diffusers alone; the codec itself is `taef2`.
"""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput
from torch import nn


class Block(nn.Module):
    """Three convolutions beside what they are given; with `pool` a branch before them, normalised over the map."""

    def __init__(self, width: int, pool: bool):
        super().__init__()
        layers = [nn.Conv2d(width, width, 3, padding=1) if place % 2 == 0 else nn.ReLU() for place in range(5)]
        self.conv = nn.Sequential(*layers)
        inside = 4 * width
        branch = [nn.Conv2d(width, inside, 1, bias=False), nn.GroupNorm(4, inside), nn.ReLU()]
        self.pool = nn.Sequential(*branch, nn.Conv2d(inside, width, 1, bias=False)) if pool else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x if self.pool is None else x + self.pool(x)
        return torch.relu(self.conv(x) + x)


class Bend(nn.Module):
    """Latents, smoothly kept within 3."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 3 * torch.tanh(x / 3)


class TAEF2Decoder(ModelMixin, ConfigMixin):
    """The decoder; what it is given is as the encoder made it, before any scaling."""

    @register_to_config
    def __init__(self, width: int = 64, channels: int = 32, scaling_factor: float = 1.0):
        super().__init__()
        layers = [Bend(), nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        for level in range(3):
            layers += [*(Block(width, pool=level == 0) for _ in range(3)), nn.Upsample(scale_factor=2)]
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False)]
        self.layers = nn.Sequential(*layers, Block(width, pool=False), nn.Conv2d(width, 3, 3, padding=1))

    def decode(self, latents: torch.Tensor) -> DecoderOutput:
        """Latents `[n, 32, h, w]` to pixels `[n, 3, 8 h, 8 w]` in about [-1, 1]."""
        return DecoderOutput(sample=2 * self.layers(latents) - 1)
