"""DINOv2 (Oquab et al. 2023), whose features agree with people's judgement better than Inception's (Stein et al. 2023).

The class token of timm's network, on pictures scaled to 224 pixels as Stein et al. scale them for their FD: timm's own
518 would cost six times as much and give another number. Their network is ViT-L, `dinov2-large`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from finefit.judges import timm

if TYPE_CHECKING:
    from finefit.judges import Features

SIDE = 224
MODELS = {f"dinov2-{size}": f"vit_{size}_patch14_dinov2.lvd142m" for size in ("small", "base", "large")}


def weights(name: str) -> str:
    """The row of the sources table: timm's name, for the file that DINOv2's authors publish."""
    if name not in MODELS:
        raise ValueError(f"unknown judge {name!r}: use one of {', '.join(MODELS)}")
    return MODELS[name]


def load(name: str, file: Path) -> Features:
    """The class token after the last norm, `[n, 384]`, `[n, 768]` or `[n, 1024]`."""
    return timm.pooled_features(weights(name), file, img_size=SIDE)
