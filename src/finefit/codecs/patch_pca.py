"""A small deterministic codec for studies on a CPU: principal components of patches, and a refining decoder.

At 32 pixels a four-fold autoencoder blurs exactly the details that tell subclasses apart, while a third of a patch's
components keep them; every report states what the codec alone costs. The decoder adds to the linear reconstruction what
a short convolutional network can restore from neighbouring patches.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from finefit.jobs import tensors
from finefit.jobs.torchvision_shim import importable_torchvision

if TYPE_CHECKING:
    from diffusers import ModelMixin

FACTOR, CHANNELS = 2, 4
COLOURS, WIDTH = 3, 48  # of pixels; of the correction


class PatchPCA(nn.Module):
    """Linear encoder to components of unit variance; linear decoder plus a convolutional correction."""

    factor, channels = FACTOR, CHANNELS

    def __init__(self) -> None:
        super().__init__()
        patch = FACTOR * FACTOR * COLOURS
        self.register_buffer("mean", torch.zeros(patch))
        self.register_buffer("components", torch.zeros(CHANNELS, patch))
        self.register_buffer("scale", torch.ones(CHANNELS))
        self.refine = nn.Sequential(
            nn.Conv2d(CHANNELS, WIDTH, 3, padding=1, padding_mode="replicate"),
            nn.GELU(),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, padding_mode="replicate"),
            nn.GELU(),
            nn.Conv2d(WIDTH, patch, 3, padding=1, padding_mode="replicate"),
        )

    def encode(self, images: Tensor) -> tuple[Tensor, None]:
        """uint8 `[n, h, w, 3]` to the latent's mean `[n, CHANNELS, h / 2, w / 2]`; its deviation is zero (None)."""
        pixels = images.permute(0, 3, 1, 2).float() / 127.5 - 1
        patches = F.pixel_unshuffle(pixels, FACTOR) - self.mean.view(1, -1, 1, 1)
        return torch.einsum("cp,nphw->nchw", self.components / self.scale[:, None], patches), None

    def reconstruct(self, latents: Tensor) -> Tensor:
        """Latents to pixels `[n, 3, h, w]` in about [-1, 1], differentiable."""
        components = self.components * self.scale[:, None]
        linear = torch.einsum("cp,nchw->nphw", components, latents) + self.mean.view(1, -1, 1, 1)
        return F.pixel_shuffle(linear + self.refine(latents), FACTOR)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Latents `[n, CHANNELS, h, w]` to uint8 pictures `[n, 2h, 2w, 3]`."""
        pixels = self.reconstruct(latents.float()).clamp(-1, 1)
        return ((pixels + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def load(weights: Path) -> PatchPCA:
    """The codec whose safetensors file is `weights`.

    Raises:
        ValueError: it holds another network.
    """
    codec = PatchPCA()
    with tensors.opened(weights, what="no weights of the codec patch_pca") as opened:
        codec.load_state_dict({name: opened.get_tensor(name) for name in opened.keys()})
    return codec.eval()


def as_diffusers(codec: PatchPCA) -> ModelMixin:
    """Its decoder as a module of diffusers."""
    importable_torchvision()
    from finefit.codecs.patch_pca_decoder import PatchPCADecoder

    decoder = PatchPCADecoder()
    decoder.load_state_dict(codec.state_dict())
    return decoder.eval()
