"""How the weights of `patch_pca` are made: components in closed form, then the decoder's correction by Adam."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from finefit.codecs.patch_pca import FACTOR, PatchPCA, load
from finefit.data import sources
from finefit.jobs import tensors
from finefit.jobs.progress import progress
from finefit.metrics import probe
from finefit.metrics.probe import Probe

BATCH, LEARNING_RATE = 64, 3e-3  # of the correction
PERCEPTUAL = 0.03  # weight of the classifier's view beside the squared error of pixels


def fit(images: Tensor, steps: int, seed: int = 0) -> PatchPCA:
    """Fit the codec to uint8 pictures `[n, h, w, 3]`: components in closed form, then the correction by Adam."""
    torch.manual_seed(seed)
    codec = PatchPCA()
    fit_components(codec, images)
    nn.init.zeros_(codec.refine[-1].weight)
    return fit_correction(codec, images, steps)


def fit_correction(codec: PatchPCA, images: Tensor, steps: int, seen_by: Probe | None = None) -> PatchPCA:
    """Train a codec's correction on uint8 pictures `[n, h, w, 3]`, batches of 64, and return the codec.

    Args:
        seen_by: a classifier whose view of the pictures is to be kept as well as their pixels. Squared error alone
            gives the mean of what could have been there, and a mean has no texture.
    """
    optimizer = torch.optim.Adam(codec.refine.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for _ in progress(range(steps), "codec steps"):
        chosen = images[torch.randint(len(images), (BATCH,))]
        target = chosen.permute(0, 3, 1, 2).float() / 127.5 - 1
        latents, _ = codec.encode(chosen)
        # A little noise, because latents to decode will come from a sampler and be a little wrong.
        decoded = codec.reconstruct(latents + 0.03 * torch.randn_like(latents))
        loss = F.mse_loss(decoded, target)
        if seen_by is not None:
            loss = loss + PERCEPTUAL * perceptual_loss(seen_by, decoded, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return codec.eval()


def perceptual_loss(network: Probe, decoded: Tensor, target: Tensor) -> Tensor:
    """Squared distance of a classifier's maps of two batches of pixels `[n, 3, h, w]` in about [-1, 1], a scalar.

    Channels of a place are scaled to unit length and levels count the same (Zhang et al. 2018, eq. 1, without learned
    weights). Both are cut alike at a random place, four pixels short: the network halves the side at every level, and
    uncut it would see all pictures from the same grid, on which the correction would leave a pattern.
    """
    (top, left), (height, width) = torch.randint(0, 4, (2,)).tolist(), (side - 4 for side in decoded.shape[2:])

    def maps(pixels: Tensor) -> list[Tensor]:
        """Every level's map of unit vectors."""
        cut = pixels[:, :, top : top + height, left : left + width].permute(0, 2, 3, 1)
        return [F.normalize(level, dim=1) for level in network.activations((cut + 1) * 127.5)]

    with torch.no_grad():
        wanted = maps(target)
    pairs = zip(wanted, maps(decoded), strict=True)
    return torch.stack([(one - other).square().sum(1).mean() for one, other in pairs]).sum()


def fit_components(codec: PatchPCA, images: Tensor) -> None:
    """Set mean, leading components and their deviations from the patches of `images`, in float64."""
    pixels = images.permute(0, 3, 1, 2).double() / 127.5 - 1
    patches = F.pixel_unshuffle(pixels, FACTOR).permute(0, 2, 3, 1).reshape(-1, len(codec.mean))
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
    tensors.save(codec.state_dict(), weights)


def fit_photographs(weights: Path) -> None:
    """Fit the codec of photographs that the project ships, on Tiny ImageNet at 32 pixels, and write it to `weights`.

    Its latents are those of the codec of drawings, so that a base of one is a base of the other; only the correction
    is learned anew, by `perceptual_loss` under a classifier of the same photographs.
    """
    from finefit.data.archives import unpacked
    from finefit.datasets import tiny_imagenet

    settings = tiny_imagenet.Settings(archive="tiny-imagenet-first250")
    root = unpacked(tiny_imagenet.sources(settings))
    rows = tiny_imagenet.index(settings, root).query("split == 'train'")
    images = torch.from_numpy(tiny_imagenet.read(rows, 32, settings, root))
    ids, names = rows["class_name"].factorize(sort=True)
    seen_by = probe.fit(images, torch.from_numpy(ids), len(names), steps=6000, seed=1, width=48)
    seen_by.requires_grad_(False)  # it only looks: no gradient of its own weights is computed
    codec = load(sources.fetch("codec-patch-pca-2"))
    tensors.save(fit_correction(codec, images, steps=1500, seen_by=seen_by).state_dict(), weights)
