"""A small convolutional classifier for a CPU: its features measure distance and diversity, its logits accuracy.

A study trains two on the real training split: the probe, and an independent classifier of another width and seed, so that
accuracy is not measured by the network whose features measure distance. Any resolution of at least 16 pixels works.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from finefit.progress import progress
from finefit.train import uses_bfloat16

LEVELS = 4


class Probe(nn.Module):
    """Four convolutional levels, each but the first halving the side, then the mean over places and a linear head."""

    def __init__(self, num_classes: int, width: int = 32):
        super().__init__()
        self.num_classes, self.width = num_classes, width
        sizes = [3, width, width * 2, width * 4, width * 4]
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(sizes[i], sizes[i + 1], 3, stride=2 if i else 1, padding=1, bias=False),
                nn.BatchNorm2d(sizes[i + 1]),
                nn.ReLU(),
            )
            for i in range(LEVELS)
        )
        self.head = nn.Linear(sizes[-1], num_classes)

    def activations(self, images: Tensor) -> list[Tensor]:
        """uint8 `[n, h, w, 3]` to each level's map `[n, c, h / s, w / s]`."""
        return self.maps(images.to(self.head.weight.device).permute(0, 3, 1, 2).float() / 127.5 - 1)

    def maps(self, x):
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return maps

    def features(self, images: Tensor) -> Tensor:
        """Mean over places of the last level's map: `[n, d]` with d = 4 `width`."""
        return self.activations(images)[-1].mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Logits `[n, num_classes]`."""
        return self.head(self.features(images))
