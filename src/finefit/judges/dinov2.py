"""DINOv2 (Oquab et al. 2023), whose features agree with people's judgement better than Inception's (Stein et al. 2023).

The class token of timm's network, on pictures scaled to 224 pixels as Stein et al. scale them for their FD: timm's own
518 would cost six times as much and give another number. Their network is ViT-L, `dinov2-large`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from finefit.judges import Facts, timm

if TYPE_CHECKING:
    from finefit.judges import Features

SIDE, PATCH = 224, 14
MODELS = {f"dinov2-{size}": f"vit_{size}_patch14_dinov2.lvd142m" for size in ("small", "base", "large")}


def weights(name: str) -> str:
    """The row of the sources table: timm's name, for the file that DINOv2's authors publish."""
    if name not in MODELS:
        raise ValueError(f"unknown judge {name!r}: use one of {', '.join(MODELS)}")
    return MODELS[name]


def facts(name: str, pixels: int) -> Facts:
    """Blocks of width D on N = 257 tokens: 24 N D^2 + 4 N^2 D operations each."""
    blocks, width = {"small": (12, 384), "base": (12, 768), "large": (24, 1024)}[name.removeprefix("dinov2-")]
    tokens = (SIDE // PATCH) ** 2 + 1
    return Facts(width, blocks * (24 * tokens * width**2 + 4 * tokens**2 * width))


def stand_in(name: str, file: Path) -> None:
    """Random weights."""
    timm.random_weights(weights(name), file)


def load(name: str, file: Path) -> Features:
    """The class token after the last norm, `[n, 384]`, `[n, 768]` or `[n, 1024]`."""
    return timm.pooled_features(weights(name), file, img_size=SIDE)
