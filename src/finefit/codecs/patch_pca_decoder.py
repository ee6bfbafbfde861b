"""The decoder of FineFit's small codec, a third of the principal components of patches, as a module of diffusers.

This file travels with exported weights and needs torch and diffusers alone; the codec itself is `patch_pca`.
"""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput
from torch import nn
from torch.nn import functional as F


class PatchPCADecoder(ModelMixin, ConfigMixin):
    """Linear decoder of patches of 2 x 2 pixels plus a convolutional correction; latents have unit variance."""

    @register_to_config
    def __init__(self, width: int = 48, scaling_factor: float = 1.0):
        super().__init__()
        channels, patch = 4, 12
        self.mean = nn.Parameter(torch.zeros(patch), requires_grad=False)
        self.components = nn.Parameter(torch.zeros(channels, patch), requires_grad=False)
        self.scale = nn.Parameter(torch.ones(channels), requires_grad=False)
        self.refine = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, padding_mode="replicate"),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1, padding_mode="replicate"),
            nn.GELU(),
            nn.Conv2d(width, patch, 3, padding=1, padding_mode="replicate"),
        )

    def decode(self, latents: torch.Tensor) -> DecoderOutput:
        """Latents `[n, 4, h, w]` to pixels `[n, 3, 2 h, 2 w]` in about [-1, 1]."""
        components = self.components * self.scale[:, None]
        linear = torch.einsum("cp,nchw->nphw", components, latents) + self.mean.view(1, -1, 1, 1)
        return DecoderOutput(sample=F.pixel_shuffle(linear + self.refine(latents), 2))
