"""The published metrics, for when their weights are at hand: FID by clean-fid and LPIPS by the lpips package.

Both packages would download weights to places of their own; here the files are given, and nothing is fetched.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from finefit.jobs.progress import progress
from finefit.jobs.torchvision_shim import importable_torchvision
from finefit.metrics.diversity import Distance
from finefit.metrics.frechet import statistics

BATCH = 64
INCEPTION_SIDE = 299


def fid(real_images: Tensor, generated_images: Tensor, weights: Path, device: str = "cpu") -> float:
    """Frechet Inception distance as clean-fid's "clean" mode computes it (Parmar et al. 2022).

    Args:
        real_images: uint8 `[n, h, w, 3]`.
        generated_images: uint8 `[m, h, w, 3]`.
        weights: the TorchScript file inception-2015-12-05.pt.
    """
    importable_torchvision()
    from cleanfid.fid import frechet_distance

    real, generated = (inception_features(images, weights, device) for images in (real_images, generated_images))
    return float(frechet_distance(*statistics(real), *statistics(generated)))


@torch.no_grad()
def inception_features(images: Tensor, weights: Path, device: str = "cpu") -> np.ndarray:
    """clean-fid's Inception features `[n, 2048]`, after its bicubic resize with antialiasing to 299 pixels."""
    from cleanfid.inception_torchscript import InceptionV3W
    from cleanfid.resize import make_resizer

    with tempfile.TemporaryDirectory() as folder:  # clean-fid takes a folder and insists on the file's name
        (Path(folder) / "inception-2015-12-05.pt").symlink_to(weights.resolve(strict=True))
        network = InceptionV3W(folder, download=False, resize_inside=False).to(device).eval()
    resize = make_resizer("PIL", False, "bicubic", (INCEPTION_SIDE, INCEPTION_SIDE))
    features = []
    for part in progress(images.cpu().split(BATCH), "Inception batches"):
        resized = np.stack([resize(image) for image in part.numpy()])
        features.append(network(torch.from_numpy(resized).permute(0, 3, 1, 2).to(device)).float().cpu().numpy())
    return np.concatenate(features)


def lpips_distance(backbone_weights: Path, device: str = "cpu") -> Distance:
    """LPIPS 0.1 on AlexNet: linear heads from the package, the backbone from a file (alexnet-owt-7be5be79.pth)."""
    importable_torchvision()
    import lpips

    network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)  # any other backbone is downloaded
    state = torch.load(backbone_weights, map_location="cpu", weights_only=True)
    # lpips cuts torchvision's `features` into slices that keep layers' numbers: slice2.3.weight is features.3.weight
    network.net.load_state_dict({name: state["features." + name.split(".", 1)[1]] for name in network.net.state_dict()})
    network = network.to(device).eval()

    @torch.no_grad()
    def distance(first: Tensor, second: Tensor) -> Tensor:
        return network(*(images.permute(0, 3, 1, 2).to(device) / 127.5 - 1 for images in (first, second))).flatten()

    return distance
