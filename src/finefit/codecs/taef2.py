"""A small autoencoder that has seen the world: TAEF2, the small twin of FLUX.2's (github madebyollin/taesd, MIT).

Factor 8 to 32 channels, 1.34 million numbers each way: it keeps of photographs of 64 pixels what names them, and makes
64 latent pixels of each. Its two files are rows of data/sources.csv; a study names the encoder's. Everything is
convolutions of 64 channels; a side is halved, or doubled, in three steps, and the blocks of the narrowest level also
see the whole map, by a normalised branch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from finefit.jobs import borders
from finefit.jobs.torchvision_shim import importable_torchvision

if TYPE_CHECKING:
    from diffusers import ModelMixin

WIDTH, CHANNELS, LEVELS, BLOCKS = 64, 32, 3, 3
LARGEST = 3.0  # of a latent, towards which the decoder bends
SCALE = 1 / 0.9  # brings latents to about unit variance: 0.88 to 0.91 on photographs of 32, 64 and 128 pixels
PIXELS = 64 * 64**2  # at once: 67 MB for each map of the widest level


class Block(nn.Module):
    """Three convolutions beside what they are given; with `pool` a branch before them, normalised over the map."""

    def __init__(self, pool: bool):
        super().__init__()
        layers = [conv(WIDTH, WIDTH), nn.ReLU(), conv(WIDTH, WIDTH), nn.ReLU(), conv(WIDTH, WIDTH)]
        self.conv = nn.Sequential(*layers)
        inside = 4 * WIDTH
        branch = [nn.Conv2d(WIDTH, inside, 1, bias=False), nn.GroupNorm(4, inside), nn.ReLU()]
        self.pool = nn.Sequential(*branch, nn.Conv2d(inside, WIDTH, 1, bias=False)) if pool else None

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.pool is None else x + self.pool(x)
        return torch.relu(self.conv(x) + x)


class Bend(nn.Module):
    """Latents, smoothly kept within `LARGEST`."""

    def forward(self, x: Tensor) -> Tensor:
        return LARGEST * torch.tanh(x / LARGEST)


class TAEF2(nn.Module):
    """Encoder of pictures in [0, 1] to latents, and decoder; layers bear the published numbers."""

    def __init__(self) -> None:
        super().__init__()
        down: list[nn.Module] = [conv(3, WIDTH), Block(pool=False)]
        up: list[nn.Module] = [Bend(), conv(CHANNELS, WIDTH), nn.ReLU()]
        for level in range(LEVELS):
            down += [conv(WIDTH, WIDTH, stride=2, bias=False), *blocks(pool=level == LEVELS - 1)]
            up += [*blocks(pool=level == 0), nn.Upsample(scale_factor=2), conv(WIDTH, WIDTH, bias=False)]
        self.encoder = nn.Sequential(*down, conv(WIDTH, CHANNELS))
        self.decoder = nn.Sequential(*up, Block(pool=False), conv(WIDTH, 3))

    @torch.no_grad()
    def encode(self, images: Tensor) -> tuple[Tensor, None]:
        """uint8 `[n, h, w, 3]` to latents `[n, 32, h / 8, w / 8]`; their deviation is zero (None)."""
        parts = images.split(batch(images.shape[1]))
        return torch.cat([self.encoder(part.permute(0, 3, 1, 2).float() / 255) * SCALE for part in parts]), None

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Latents `[n, 32, h, w]` to uint8 pictures `[n, 8h, 8w, 3]`."""
        parts = latents.float().split(batch(2**LEVELS * latents.shape[2]))
        pictures = [self.decoder(part / SCALE).clamp(0, 1).mul(255).round().to(torch.uint8) for part in parts]
        return torch.cat(pictures).permute(0, 2, 3, 1).contiguous()


def conv(inside: int, outside: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    """A convolution of 3 x 3 that keeps the side, or halves it."""
    return nn.Conv2d(inside, outside, 3, stride, padding=1, bias=bias)


def blocks(pool: bool) -> list[nn.Module]:
    """The blocks of a level."""
    return [Block(pool) for _ in range(BLOCKS)]


def batch(side: int) -> int:
    """How many pictures of a side are taken at once."""
    return max(1, PIXELS // side**2)


def load(encoder: Path, decoder: Path) -> TAEF2:
    """The codec whose published files (half precision, tensors alone) these are; every tensor has to have its place."""
    codec = TAEF2()
    for part, file in ((codec.encoder, encoder), (codec.decoder, decoder)):
        with borders.reading(file, "no weights of the codec taef2"):
            part.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return codec.eval().requires_grad_(False)


def stand_in(file: Path, row: str) -> None:
    """Write random weights in the layout of one of its rows."""
    part = TAEF2().decoder if row.endswith("decoder") else TAEF2().encoder
    torch.save(part.half().state_dict(), file)


def as_diffusers(codec: TAEF2) -> ModelMixin:
    """Its decoder as a module of diffusers."""
    importable_torchvision()
    from finefit.codecs.taef2_decoder import TAEF2Decoder

    decoder = TAEF2Decoder(scaling_factor=SCALE)
    decoder.layers.load_state_dict(codec.decoder.state_dict())
    return decoder.eval()
