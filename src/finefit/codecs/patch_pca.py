"""A small deterministic codec for studies on a CPU: principal components of 2 x 2 patches, and a refining decoder.

At 32 pixels a four-fold autoencoder blurs exactly the details that tell subclasses apart, while four of the twelve
components of a two-fold patch keep them; every report states what the codec alone costs. The decoder adds to the
linear reconstruction what a short convolutional network can restore from neighbouring patches.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from finefit.jobs.torchvision_shim import importable_torchvision

if TYPE_CHECKING:
    from diffusers import ModelMixin

FACTOR, CHANNELS = 2, 4
PATCH = FACTOR * FACTOR * 3


class PatchPCA(nn.Module):
    """Linear encoder to `CHANNELS` components of unit variance; linear decoder plus a convolutional correction."""

    factor, channels = FACTOR, CHANNELS

    def __init__(self, width: int = 48):
        super().__init__()
        self.register_buffer("mean", torch.zeros(PATCH))
        self.register_buffer("components", torch.zeros(CHANNELS, PATCH))
        self.register_buffer("scale", torch.ones(CHANNELS))
        self.refine = nn.Sequential(
            nn.Conv2d(CHANNELS, width, 3, padding=1, padding_mode="replicate"),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1, padding_mode="replicate"),
            nn.GELU(),
            nn.Conv2d(width, PATCH, 3, padding=1, padding_mode="replicate"),
        )

    def encode(self, images: Tensor) -> tuple[Tensor, None]:
        """uint8 `[n, h, w, 3]` to the latent's mean `[n, CHANNELS, h / 2, w / 2]`; its deviation is zero (None)."""
        pixels = images.permute(0, 3, 1, 2).float() / 127.5 - 1
        patches = F.pixel_unshuffle(pixels, FACTOR) - self.mean.view(1, -1, 1, 1)
        components = self.components / self.scale[:, None]
        return torch.einsum("cp,nphw->nchw", components, patches), None

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
    """The codec whose safetensors file is `weights`."""
    codec = PatchPCA()
    codec.load_state_dict(load_file(weights))
    return codec.eval()


def as_diffusers(codec: PatchPCA) -> ModelMixin:
    """Its decoder as a module of diffusers."""
    importable_torchvision()
    from finefit.codecs.patch_pca_decoder import PatchPCADecoder

    decoder = PatchPCADecoder(FACTOR, CHANNELS)
    decoder.load_state_dict(codec.state_dict())
    return decoder.eval()


def fit(images: Tensor, steps: int, seed: int = 0, batch: int = 64, lr: float = 3e-3) -> PatchPCA:
    """Fit the codec to uint8 pictures `[n, h, w, 3]`: components in closed form, then the correction by Adam."""
    torch.manual_seed(seed)
    codec = PatchPCA()
    fit_components(codec, images)
    nn.init.zeros_(codec.refine[-1].weight)
    optimizer = torch.optim.Adam(codec.refine.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for _ in range(steps):
        chosen = images[torch.randint(len(images), (batch,))]
        target = chosen.permute(0, 3, 1, 2).float() / 127.5 - 1
        latents, _ = codec.encode(chosen)
        # A little noise, because latents to decode will come from a sampler and be a little wrong.
        loss = F.mse_loss(codec.reconstruct(latents + 0.03 * torch.randn_like(latents)), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return codec.eval()


def fit_components(codec: PatchPCA, images: Tensor) -> None:
    """Set mean, leading components and their deviations from the patches of `images`, in float64."""
    pixels = images.permute(0, 3, 1, 2).double() / 127.5 - 1
    patches = F.pixel_unshuffle(pixels, FACTOR).permute(0, 2, 3, 1).reshape(-1, PATCH)
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
    leading = vectors.T.flip(0)[:CHANNELS]
    leading = leading * leading.sum(1, keepdim=True).sign()  # an eigenvector's sign is arbitrary: fix it
    codec.mean.copy_(mean)
    codec.components.copy_(leading)
    codec.scale.copy_(values.flip(0)[:CHANNELS].sqrt())


def fit_shipped(weights: Path) -> None:
    """Fit the codec that the project ships, on the embedded source domain at 32 pixels, and write it to `weights`."""
    from finefit.datasets import embedded

    settings = embedded.Settings(domain="source", train_per_class=400)
    rows = embedded.index(settings, None).query("split == 'train'")
    codec = fit(torch.from_numpy(embedded.read(rows, 32, settings, None)), steps=2000)
    save_file(codec.state_dict(), weights)
