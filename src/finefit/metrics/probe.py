"""A small convolutional classifier for a CPU: its features measure distance and diversity, its logits accuracy.

A study trains two on the real training split: the probe, and an independent classifier of another width and seed, so
that accuracy is not measured by the network whose features measure distance. Any resolution from 16 pixels on works.
Both are trained and asked in float32 everywhere, and trained on the CPU, so that a judge is the same on every machine:
trained in bfloat16, which saves seconds, it found up to 5 % more or less in the same pictures, and every method would
share that shift. What a trained one sees it sees on the job's device.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from finefit.jobs import tensors
from finefit.jobs.progress import progress

WIDTHS = (1, 2, 4, 4)  # channels of the levels, in units of the first one's
LEARNING_RATE, WEIGHT_DECAY, LABEL_SMOOTHING, BATCH = 4e-3, 0.05, 0.1, 64
JITTER = 0.15  # of brightness and contrast
EVALUATION_BATCH = 256


class Images(Protocol):
    """Pictures by slices and row numbers: a tensor uint8 `[n, h, w, 3]`, or one whose rows are read when asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice | Tensor) -> Tensor: ...


class Probe(nn.Module):
    """Four convolutional levels that halve the side, the mean over places, and a linear head."""

    def __init__(self, num_classes: int, width: int):
        super().__init__()
        self.num_classes, self.width = num_classes, width
        widths = [3, *(width * times for times in WIDTHS)]
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, d, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(d), nn.ReLU())
            for c, d in pairwise(widths)
        )
        self.head = nn.Linear(widths[-1], num_classes)

    def activations(self, images: Tensor) -> list[Tensor]:
        """uint8 `[n, h, w, 3]` to every level's map `[n, c, h / s, w / s]`, s = 2, 4, 8, 16."""
        maps = [images.to(self.head.weight.device).permute(0, 3, 1, 2).float() / 127.5 - 1]
        with torch.backends.cudnn.flags(allow_tf32=False):
            for level in self.levels:
                maps.append(level(maps[-1]))
        return maps[1:]

    def features(self, images: Tensor) -> Tensor:
        """uint8 `[n, h, w, 3]` to the last map's mean over places, `[n, 4 width]`."""
        return self.activations(images)[-1].mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """uint8 `[n, h, w, 3]` to logits `[n, num_classes]`."""
        return self.head(self.features(images))


def fit(images: Images, labels: Tensor, num_classes: int, steps: int, seed: int, width: int) -> Probe:
    """Train a classifier; the same seed gives the same weights on the same machine.

    Args:
        images: uint8 `[n, h, w, 3]`, of which each step takes those that it needs.
        labels: class ids, int64 `[n]`.
        steps: of 64 pictures; 300 fit the embedded data set's 16 classes, 600 its 100.
        width: channels of the first level; a quarter of the features' number.
    """
    torch.manual_seed(seed)
    probe = Probe(num_classes, width).train()
    optimizer = torch.optim.AdamW(probe.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for _ in progress(range(steps), "classifier steps"):
        rows = torch.randint(len(images), (BATCH,))
        loss = F.cross_entropy(probe(augment(images[rows])), labels[rows], label_smoothing=LABEL_SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return probe.eval()


def augment(images: Tensor) -> Tensor:
    """Random flips, shifts by up to an eighth of the side (the border repeats), brightness, contrast; uint8 again."""
    n, h, w, _ = images.shape
    rows = (torch.arange(h) + torch.randint(-(h // 8), h // 8 + 1, (n, 1))).clamp(0, h - 1)
    columns = (torch.arange(w) + torch.randint(-(w // 8), w // 8 + 1, (n, 1))).clamp(0, w - 1)
    columns = torch.where(torch.rand(n, 1) < 0.5, columns.flip(1), columns)
    moved = images[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    contrast = 1 + JITTER * (2 * torch.rand(n, 1, 1, 1) - 1)
    # Each channel has its own brightness: with one for all three, a tint of 20 levels halved the accuracy.
    brightness = 1 + JITTER * (2 * torch.rand(n, 1, 1, 3) - 1)
    return ((moved - 127.5) * contrast + 127.5 * brightness).round().clamp(0, 255).to(torch.uint8)


@torch.no_grad()
def in_batches(function: Callable[[Tensor], Tensor], images: Images) -> Tensor:
    """`function` (the probe itself, or its `features`) of many pictures, joined on the CPU."""
    starts = range(0, max(1, len(images)), EVALUATION_BATCH)
    return torch.cat([function(images[start : start + EVALUATION_BATCH]).cpu() for start in starts])


def save(probe: Probe, path: Path) -> None:
    """Write weights and shape to one safetensors file."""
    # One entry, because safetensors writes several in a random order and the file's bytes would differ.
    shape = json.dumps({"num_classes": probe.num_classes, "width": probe.width})
    tensors.save(probe.state_dict(), path, {"probe": shape})


def load(path: Path, device: str = "cpu") -> Probe:
    """The probe that `save` wrote to `path`, on a device.

    Raises:
        ValueError: it is damaged.
    """
    with tensors.opened(path, what="damaged", remedy=f"delete {path.parent} and repeat") as file:
        probe = Probe(**json.loads(file.metadata()["probe"]))
        probe.load_state_dict({name: file.get_tensor(name) for name in file.keys()})
    return probe.to(device).eval()
