"""The papers' autoencoder: Stable Diffusion's, factor 8 to 4 channels (Rombach et al., 2022), through diffusers.

Its weights are the rows `sd-vae-ft-mse` and `sd-vae-ft-ema` of data/sources.csv, each of one revision.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from finefit.jobs import borders
from finefit.jobs.finite import require_finite
from finefit.jobs.torchvision_shim import importable_torchvision

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

SCALE = 0.18215  # brings latents to unit variance; the published checkpoints were trained with it
PIXELS = {"cuda": 32 * 256**2, "cpu": 4 * 256**2}  # at once: about 6 GB on a GPU, in half precision; 2 GB on a CPU
SHAPE = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "act_fn": "silu",
    "sample_size": 256,
    "scaling_factor": SCALE,
}


class SDVAE(nn.Module):
    """Encoder to the posterior's mean and deviation, and decoder; in half precision on a GPU."""

    def __init__(self, autoencoder: AutoencoderKL):
        super().__init__()
        self.autoencoder = autoencoder

    @torch.no_grad()
    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 `[n, h, w, 3]` to the posterior's mean and deviation, float32 `[n, 4, h / 8, w / 8]`."""
        means, deviations = [], []
        for part in images.split(self.batch(images.shape[1])):
            pixels = part.permute(0, 3, 1, 2).float() / 127.5 - 1
            with self.half():
                posterior = self.autoencoder.encode(pixels).latent_dist
            means.append(posterior.mean.float() * SCALE)
            deviations.append(posterior.std.float() * SCALE)
        return torch.cat(means), torch.cat(deviations)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Latents `[n, 4, h, w]` to uint8 pictures `[n, 8h, 8w, 3]`."""
        pictures = []
        for part in latents.split(self.batch(8 * latents.shape[2])):
            with self.half():
                pixels = self.autoencoder.decode(part.float() / SCALE).sample
            require_finite("pictures that the autoencoder decoded", pixels)  # half precision may overflow
            pixels = (pixels.float().clamp(-1, 1) + 1) * 127.5
            pictures.append(pixels.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous())
        return torch.cat(pictures)

    def batch(self, side: int) -> int:
        """How many pictures of a side are taken at once."""
        return max(1, PIXELS["cuda" if self.autoencoder.device.type == "cuda" else "cpu"] // side**2)

    def half(self) -> torch.autocast:
        """Half precision on a GPU; on a CPU nothing changes."""
        device = self.autoencoder.device.type
        return torch.autocast(device, torch.float16, enabled=device == "cuda")


def load(weights: Path) -> SDVAE:
    """The codec whose safetensors file, in diffusers' form of then or now, is `weights`.

    Raises:
        ValueError: it holds another network, or is damaged.
    """
    kind = autoencoder_kind()
    with TemporaryDirectory() as folder:  # from_pretrained translates the names of old files, and reads folders only
        kind(**SHAPE).save_config(folder)
        (Path(folder) / "diffusion_pytorch_model.safetensors").symlink_to(weights.absolute())
        with borders.reading(weights, "no weights of the codec sd_vae"):
            return SDVAE(kind.from_pretrained(folder, local_files_only=True).eval())


def stand_in(file: Path, row: str) -> None:
    """Write the autoencoder with random weights, in diffusers' layout; any of its rows is a whole one."""
    with TemporaryDirectory() as folder:
        autoencoder_kind()(**SHAPE).save_pretrained(folder)
        (Path(folder) / "diffusion_pytorch_model.safetensors").rename(file)


def as_diffusers(codec: SDVAE) -> AutoencoderKL:
    """It is one."""
    return codec.autoencoder


def autoencoder_kind() -> type[AutoencoderKL]:
    """The class of diffusers; imported only now, as it is large and imports torchvision."""
    importable_torchvision()
    from diffusers import AutoencoderKL

    return AutoencoderKL
