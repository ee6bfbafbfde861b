"""Our side of the benchmarks: networks at the size of iNaturalist mini, our training and sampling of them.

Latents come from memory. Weights are random, and no matrix is zero as some are before training: a GPU multiplies zeros
with less power, hence faster, than what follows, and a loss that no weight reaches says nothing about precision.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor, nn

import finefit.training.train
from finefit import methods
from finefit.deltas.network import network
from finefit.jobs.devices import device_here
from finefit.models.dit import DiT
from finefit.models.shapes import SIZES
from finefit.sampling.networks import frozen
from finefit.sampling.sample import sample
from finefit.training.learning_rate import peak_rates

LATENT, CLASSES, SUPERCLASSES = 32, 10_000, 11  # iNaturalist mini at 256 pixels
AVERAGE_DECAY = 0.9999


def resolved(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The parsed command line with `size`, `patch` (of its `model`), `latent` (its side) and `device` added."""
    given = parser.parse_args()
    given.latent = getattr(given, "latent", LATENT)
    given.size, _, patch = given.model.removeprefix("DiT-").partition("/")
    if given.size not in SIZES or not patch.isdigit():
        parser.error(f"--model {given.model}: use DiT-SIZE/PATCH, a size of {', '.join(SIZES)}")
    given.patch, given.device = int(patch), device_here()
    return given


def built(method: str, given: argparse.Namespace, classes: int = CLASSES, **settings: object) -> DiT:
    """A method's network, by its defaults but for `settings`, of the measured size on the measured device."""
    run = {
        "method": method,
        "method_settings": settings,
        "network": {"size": given.size, "patch": given.patch},
        "seed": 0,
        "num_classes": classes,
        "superclass_of": [number % SUPERCLASSES for number in range(classes)],
        "latent_shape": [4, given.latent, given.latent],
    }
    with torch.device(given.device):  # a GPU draws XL/2's weights in a moment, a CPU in many seconds
        model = network(run, None)
    return awake(model.to(given.device))


def awake(model: nn.Module) -> nn.Module:
    """The network with small random numbers in the matrices that start as zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2 and not parameter.any():
                parameter.normal_(std=0.02)
    return model


class Latents:
    """A pack of noise in memory, as fast as a pack can be."""

    def __init__(self, count: int, classes: int, side: int = LATENT, clock: Callable[[], float] = time.perf_counter):
        generator = torch.Generator().manual_seed(0)
        self.count, self.shape = count, (4, side, side)
        self.labels = torch.randint(classes, (count,), generator=generator)
        self.values = torch.randn(count, *self.shape, generator=generator)
        self.asked, self.clock = 0.0, clock

    def sample(self, rows, flips, noise: Tensor) -> Tensor:
        """Latents of the given rows; `asked` is the moment of the first such call."""
        self.asked = self.asked or self.clock()
        return self.values[rows]


def training(
    model: DiT,
    method: str,
    given: argparse.Namespace,
    precision: str = "auto",
    recompute: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> Callable[[int], tuple[float, list[float]]]:
    """Our training: a function that makes so many steps; gives the moment the first one began, and recorded losses.

    What a training does once (moments, averages) is before that moment; no state is kept, which may take a twentieth.
    """
    finefit.training.train.SECONDS_BETWEEN_STATES = math.inf
    pack = Latents(4 * given.batch, model.y_embedder.num_classes, given.latent, clock)
    references = list(methods.find(method).Settings().guidance)

    def steps(count: int) -> tuple[float, list[float]]:
        pack.asked = 0.0
        settings = SimpleNamespace(
            steps=count, batch_size=given.batch, schedule="constant", warmup_steps=0, weight_decay=0.0,
            label_dropout=0.1, ema_decay=AVERAGE_DECAY, flip=True, precision=precision, recompute=recompute,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            rates = peak_rates(model, 1e-4, {})
            _, record = finefit.training.train.train(
                model, rates, pack, settings, references, 0, Path(folder) / "state", given.device
            )
        return pack.asked, [row["loss"] for row in record]

    return steps


def began(steps: Callable[[int], tuple[float, list[float]]], count: int) -> float:
    """Make so many steps; the moment the first one began."""
    return steps(count)[0]


def sampling(
    model: DiT,
    sampler: str,
    steps: int,
    given: argparse.Namespace,
    precision: str = "auto",
    guidance: str = "superclass",
) -> Callable[[], Tensor]:
    """Our sampling: a function that gives latents of the first classes, guided as published; freezes the network."""
    labels = torch.arange(given.sampling_batch)
    settings = {
        "seed": 0, "sampler": sampler, "steps": steps, "guidance": guidance, "scale": 4.0, "guided_channels": 3,
        "guidance_interval": (0, 999),
    }  # fmt: skip
    return partial(sample, frozen(model, precision, given.device), labels, labels, settings, precision, given.device)
