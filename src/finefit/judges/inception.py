"""The network of the published FID: Inception in clean-fid's "clean" mode (Parmar et al. 2022)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from finefit.jobs import borders
from finefit.judges import Facts

if TYPE_CHECKING:
    from torch import Tensor

    from finefit.judges import Features

SIDE, BATCH = 299, 64


def weights(name: str) -> str:
    """The TorchScript file that clean-fid and the StyleGANs use."""
    if name != "inception":
        raise ValueError(f"unknown judge {name!r}: did you mean inception?")
    return "inception-2015-12-05"


def facts(name: str, pixels: int) -> Facts:
    """A picture of 299 pixels, counted with torch's FlopCounterMode on torchvision's network."""
    return Facts(2048, 11.4e9)


def stand_in(name: str, file: Path) -> None:
    """torchvision's Inception with random weights, as the TorchScript module with the `layers` that clean-fid calls."""
    import torch
    from torch import nn

    from finefit.jobs.torchvision_shim import importable_torchvision

    importable_torchvision()
    from torchvision.models import inception_v3

    whole = inception_v3(weights=None, aux_logits=False, init_weights=False, transform_input=False)
    features = [part for name, part in whole.named_children() if name not in ("AuxLogits", "dropout", "fc")]
    network = nn.Module()
    network.layers = nn.Sequential(*features, nn.Flatten())
    torch.jit.script(network.eval()).save(str(file))


def load(name: str, file: Path) -> Features:
    """clean-fid's features `[n, 2048]`, after its bicubic resize with antialiasing to 299 pixels."""
    import numpy as np
    import torch

    from finefit.jobs.devices import device_here
    from finefit.jobs.torchvision_shim import importable_torchvision

    importable_torchvision()
    from cleanfid.inception_torchscript import InceptionV3W
    from cleanfid.resize import make_resizer

    device = device_here()
    with tempfile.TemporaryDirectory() as folder:  # clean-fid takes a folder and insists on the file's name
        (Path(folder) / "inception-2015-12-05.pt").symlink_to(file.resolve(strict=True))
        with borders.reading(file, "no weights of Inception as clean-fid has them"):
            network = InceptionV3W(folder, download=False, resize_inside=False).to(device).eval()
    resize = make_resizer("PIL", False, "bicubic", (SIDE, SIDE))

    @torch.no_grad()
    def features(images: Tensor) -> Tensor:
        parts = []
        for part in images.cpu().split(BATCH):
            resized = torch.from_numpy(np.stack([resize(image) for image in part.numpy()]))
            parts.append(network(resized.permute(0, 3, 1, 2).to(device)).float().cpu())
        return torch.cat(parts)

    return features
