"""The study's own judge: the small network that its reference trains on the real training pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from finefit.judges import Facts

if TYPE_CHECKING:
    from finefit.judges import Features


def weights(name: str) -> None:
    """None: the study's reference makes them."""
    if name != "probe":
        raise ValueError(f"unknown judge {name!r}: did you mean probe?")


def facts(name: str, pixels: int) -> Facts:
    """Four times the width that the reference trains it with; its operations are counted in pixels."""
    return Facts(128, 0.0)


def load(name: str, file: Path) -> Features:
    """The probe's features `[n, 4 width]`: the mean over places of its last map."""
    import torch

    from finefit.jobs.devices import device_here
    from finefit.metrics import probe

    network = probe.load(file, device_here())
    return torch.no_grad()(lambda images: network.features(images).cpu())
