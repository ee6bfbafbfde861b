"""How the weights of `patch_pca` are made: components in closed form, then the decoder's correction by Adam."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from finefit.codecs.patch_pca import PatchPCA


def fit(images: Tensor, steps: int, side: int = 2, seed: int = 0, batch: int = 64, lr: float = 3e-3) -> PatchPCA:
    """Fit the codec to uint8 pictures `[n, h, w, 3]`: components in closed form, then the correction by Adam."""
    torch.manual_seed(seed)
    codec = PatchPCA(side)
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
    patches = F.pixel_unshuffle(pixels, codec.side).permute(0, 2, 3, 1).reshape(-1, len(codec.mean))
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
    kept = len(codec.scale)
    leading = vectors.T.flip(0)[:kept]
    leading = leading * leading.sum(1, keepdim=True).sign()  # an eigenvector's sign is arbitrary: fix it
    codec.mean.copy_(mean)
    codec.components.copy_(leading)
    codec.scale.copy_(values.flip(0)[:kept].sqrt())


def fit_shipped(weights: Path) -> None:
    """Fit the codec of drawings that the project ships, on the embedded source domain at 32 pixels, into `weights`."""
    from finefit.datasets import embedded

    settings = embedded.Settings(domain="source", train_per_class=400)
    rows = embedded.index(settings, None).query("split == 'train'")
    codec = fit(torch.from_numpy(embedded.read(rows, 32, settings, None)), steps=2000)
    save_file(codec.state_dict(), weights)


def fit_photographs(weights: Path) -> None:
    """Fit the codec of photographs that the project ships, on Tiny ImageNet at 32 pixels, and write it to `weights`."""
    from finefit.data.archives import unpacked
    from finefit.datasets import tiny_imagenet

    settings = tiny_imagenet.Settings(archive="tiny-imagenet-first250")
    root = unpacked(tiny_imagenet.sources(settings))
    rows = tiny_imagenet.index(settings, root).query("split == 'train'").iloc[::2]
    codec = fit(torch.from_numpy(tiny_imagenet.read(rows, 32, settings, root)), steps=2000, side=4)
    save_file(codec.state_dict(), weights)
