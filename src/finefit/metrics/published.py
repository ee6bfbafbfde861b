"""The published LPIPS, for when its weights are at hand: the lpips package's, which would download them itself.

The published FID is the judge `inception` (`finefit.judges.inception`).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from finefit.jobs import borders
from finefit.jobs.torchvision_shim import importable_torchvision
from finefit.metrics.diversity import Distance


def stand_in(file: Path) -> None:
    """Write an AlexNet with random weights, as torchvision publishes it."""
    importable_torchvision()
    from torchvision.models import alexnet

    torch.save(alexnet(weights=None).state_dict(), file)


def lpips_distance(backbone_weights: Path, device: str = "cpu") -> Distance:
    """LPIPS 0.1 on AlexNet: linear heads from the package, the backbone from a file (alexnet-owt-7be5be79.pth)."""
    importable_torchvision()
    import lpips

    network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)  # any other backbone is downloaded
    with borders.reading(backbone_weights, "no weights of AlexNet"):
        state = torch.load(backbone_weights, map_location="cpu", weights_only=True)
        # lpips cuts `features` into slices that keep layers' numbers: slice2.3.weight is features.3.weight
        names = {name: "features." + name.split(".", 1)[1] for name in network.net.state_dict()}
        network.net.load_state_dict({name: state[theirs] for name, theirs in names.items()})
    network = network.to(device).eval()

    @torch.no_grad()
    def distance(first: Tensor, second: Tensor) -> Tensor:
        return network(*(images.permute(0, 3, 1, 2).to(device) / 127.5 - 1 for images in (first, second))).flatten()

    return distance
