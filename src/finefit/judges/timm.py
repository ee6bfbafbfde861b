"""Any network of timm (Wightman 2019) by its name, `timm/resnet50.a1_in1k`.

Its weights are the row of data/sources.csv that bears timm's own name for them (`resnet50.a1_in1k`): a safetensors file
or a torch file of weights alone. Input size, interpolation, crop, mean and deviation are those of timm's data config,
and the features are what its classifier would get.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from finefit.jobs import borders
from finefit.judges import Facts

if TYPE_CHECKING:
    from torch import Tensor

    from finefit.judges import Features

FAMILY, BATCH = "timm/", 64


def weights(name: str) -> str:
    """The row of the sources table: timm's name of architecture and weights."""
    if not name.startswith(FAMILY) or name == FAMILY:
        raise ValueError(f"unknown judge {name!r}: name a network of timm, as timm/resnet50.a1_in1k")
    return name.removeprefix(FAMILY)


def facts(name: str, pixels: int) -> Facts:
    """What a ResNet-50 has, since only building a network would tell: to plan by, not to report."""
    return Facts(2048, 8.2e9)


def stand_in(name: str, file: Path) -> None:
    """Random weights."""
    random_weights(weights(name), file)


def random_weights(model: str, file: Path) -> None:
    """Write a network of timm as it is before any training."""
    import torch

    from finefit.jobs.torchvision_shim import importable_torchvision

    importable_torchvision()
    import timm

    torch.save(timm.create_model(model).state_dict(), file)


def load(name: str, file: Path) -> Features:
    """The pooled features of the network that a judge's name says, with weights from a file."""
    return pooled_features(weights(name), file)


def pooled_features(model: str, file: Path, **options: Any) -> Features:
    """Pooled features `[n, d]` of a network of timm, before its classifier.

    Args:
        model: timm's name of architecture and weights.
        file: the weights, in the layout of timm or of a publisher that timm converts from.
        options: of `timm.create_model`, such as `img_size`.

    Raises:
        ValueError: timm has no such network, or the file does not hold exactly its weights.
    """
    import torch
    from PIL import Image

    from finefit.jobs.devices import device_here
    from finefit.jobs.torchvision_shim import importable_torchvision

    importable_torchvision()
    import timm
    from timm.data import create_transform, resolve_model_data_config

    if not timm.is_model(model):
        raise ValueError(f"timm/{model}: timm {timm.__version__} has no network {model.partition('.')[0]!r}")
    overlay = {"file": str(file), "custom_load": False}  # so that nothing is downloaded, and every tensor has its place
    with borders.reading(file, f"not the weights of {model}"):
        network = timm.create_model(model, pretrained=True, pretrained_cfg_overlay=overlay, **options)
    network.reset_classifier(0)
    device = device_here()
    network.to(device).eval().requires_grad_(False)
    size = {"input_size": (3, options["img_size"], options["img_size"])} if "img_size" in options else {}
    transform = create_transform(**resolve_model_data_config(network) | size)

    @torch.no_grad()
    def features(images: Tensor) -> Tensor:
        parts = []
        for part in images.cpu().split(BATCH):
            pictures = torch.stack([transform(Image.fromarray(picture)) for picture in part.numpy()])
            parts.append(network(pictures.to(device)).float().cpu())
        return torch.cat(parts)

    return features
