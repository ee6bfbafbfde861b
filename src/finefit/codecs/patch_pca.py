"""A small deterministic codec for studies on a CPU: principal components of patches, and a refining decoder.

At 32 pixels a four-fold autoencoder blurs exactly the details that tell subclasses apart, while a third of a patch's
components keep them; every report states what the codec alone costs. The decoder adds to the linear reconstruction what
a short convolutional network can restore from neighbouring patches.

Latents have half the picture's side and four channels, whatever the patch: the four components of a patch of 2 x 2
pixels are one latent pixel, the sixteen of a patch of 4 x 4 are laid over 2 x 2 of them. As many numbers hold more of a
larger patch. A token of a network (`base.patch`) should hold whole patches.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from finefit.jobs.torchvision_shim import importable_torchvision

if TYPE_CHECKING:
    from diffusers import ModelMixin

FACTOR, CHANNELS = 2, 4
COLOURS, WIDTH = 3, 48  # of pixels; of the correction


class PatchPCA(nn.Module):
    """Linear encoder to components of unit variance; linear decoder plus a convolutional correction.

    Args:
        side: pixels of a patch's side, a multiple of `FACTOR`; it keeps `side * side` of its components, a third.
    """

    factor, channels = FACTOR, CHANNELS

    def __init__(self, side: int = 2):
        super().__init__()
        kept, patch = side * side, side * side * COLOURS
        self.side = side
        self.register_buffer("mean", torch.zeros(patch))
        self.register_buffer("components", torch.zeros(kept, patch))
        self.register_buffer("scale", torch.ones(kept))
        self.refine = nn.Sequential(
            nn.Conv2d(kept, WIDTH, 3, padding=1, padding_mode="replicate"),
            nn.GELU(),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, padding_mode="replicate"),
            nn.GELU(),
            nn.Conv2d(WIDTH, patch, 3, padding=1, padding_mode="replicate"),
        )

    def encode(self, images: Tensor) -> tuple[Tensor, None]:
        """uint8 `[n, h, w, 3]` to the latent's mean `[n, CHANNELS, h / 2, w / 2]`; its deviation is zero (None)."""
        pixels = images.permute(0, 3, 1, 2).float() / 127.5 - 1
        patches = F.pixel_unshuffle(pixels, self.side) - self.mean.view(1, -1, 1, 1)
        components = self.components / self.scale[:, None]
        return F.pixel_shuffle(torch.einsum("cp,nphw->nchw", components, patches), self.side // FACTOR), None

    def reconstruct(self, latents: Tensor) -> Tensor:
        """Latents to pixels `[n, 3, h, w]` in about [-1, 1], differentiable."""
        latents = F.pixel_unshuffle(latents, self.side // FACTOR)
        components = self.components * self.scale[:, None]
        linear = torch.einsum("cp,nchw->nphw", components, latents) + self.mean.view(1, -1, 1, 1)
        return F.pixel_shuffle(linear + self.refine(latents), self.side)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Latents `[n, CHANNELS, h, w]` to uint8 pictures `[n, 2h, 2w, 3]`."""
        pixels = self.reconstruct(latents.float()).clamp(-1, 1)
        return ((pixels + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def load(weights: Path) -> PatchPCA:
    """The codec whose safetensors file is `weights`; the number of components tells the patch."""
    state = load_file(weights)
    codec = PatchPCA(side=int(len(state["scale"]) ** 0.5))
    codec.load_state_dict(state)
    return codec.eval()


def as_diffusers(codec: PatchPCA) -> ModelMixin:
    """Its decoder as a module of diffusers."""
    importable_torchvision()
    from finefit.codecs.patch_pca_decoder import PatchPCADecoder

    decoder = PatchPCADecoder(codec.side)
    decoder.load_state_dict(codec.state_dict())
    return decoder.eval()
