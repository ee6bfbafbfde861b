"""Training steps that the benchmarks compare: ours, a plain reference, and ours with a dense class table.

Every step function takes a number of steps and trains so many; latents come from memory. Weights are random, and none
of them zero as at the start of training: a GPU multiplies zeros with less power, hence faster, than what follows.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from finefit import methods
from finefit.devices import uses_bfloat16
from finefit.diffusion import Diffusion
from finefit.finetune import parameter_groups
from finefit.models.dit import DiT
from finefit.models.network import network
from finefit.train import train

LATENT, CLASSES, SUPERCLASSES = 32, 10_000, 11  # iNaturalist mini at 256 pixels
AVERAGE_DECAY = 0.9999

Steps = Callable[[int], object]
Losses = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # of (latents, timesteps, labels, noise), `[n]`


def built(method: str, given: argparse.Namespace, classes: int = CLASSES) -> DiT:
    """A method's network of the measured size on the measured device."""
    run = {
        "method": method,
        "method_settings": {},
        "network": {"size": given.size, "patch": given.patch},
        "seed": 0,
        "num_classes": classes,
        "superclass_of": [number % SUPERCLASSES for number in range(classes)],
        "latent_shape": [4, LATENT, LATENT],
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

    def __init__(self, count: int, classes: int):
        generator = torch.Generator().manual_seed(0)
        self.count, self.shape = count, (4, LATENT, LATENT)
        self.labels = torch.randint(classes, (count,), generator=generator)
        self.values = torch.randn(count, *self.shape, generator=generator)

    def sample(self, rows, flips, noise: Tensor) -> Tensor:
        """Latents of the given rows."""
        return self.values[rows]


def ours(model: DiT, method: str, given: argparse.Namespace, precision: str = "auto") -> Callable[[int], list[float]]:
    """The project's own training; gives the recorded losses."""
    pack = Latents(4 * given.batch, model.y_embedder.num_classes)
    references = list(methods.find(method).Settings().guidance)

    def steps(count: int) -> list[float]:
        settings = SimpleNamespace(
            steps=count, batch_size=given.batch, schedule="constant", warmup_steps=0, weight_decay=0.0,
            label_dropout=0.1, ema_decay=AVERAGE_DECAY, flip=True, precision=precision,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            groups = parameter_groups(model, 1e-4, {})
            _, record = train(model, groups, pack, settings, references, 0, Path(folder) / "state", given.device)
        return [row["loss"] for row in record]

    return steps


def plain(model: nn.Module, losses: Losses, given: argparse.Namespace) -> Steps:
    """What the published loop does, in our words: float32 (TF32 on a GPU), an average of all weights at every step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0)
    average = {name: value.detach().clone() for name, value in model.named_parameters()}

    @torch.no_grad()
    def update() -> None:
        for name, value in model.named_parameters():
            average[name].mul_(AVERAGE_DECAY).add_(value, alpha=1 - AVERAGE_DECAY)

    return loop(losses, CLASSES, optimizer, update, given)


def dense(model: DiT, given: argparse.Namespace) -> Steps:
    """A step as fast as ours whose optimizer and average visit every row of the class table."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0, fused=True)
    average = [parameter.detach().clone() for parameter in trained]

    def update() -> None:
        torch._foreach_lerp_(average, [parameter.detach() for parameter in trained], 1 - AVERAGE_DECAY)

    precise = diffusion_losses(model)

    def losses(*given_: Tensor) -> Tensor:
        with torch.autocast(given.device, torch.bfloat16, enabled=uses_bfloat16("auto", given.device)):
            return precise(*given_)

    return loop(losses, model.y_embedder.num_classes, optimizer, update, given)


def diffusion_losses(model: DiT) -> Losses:
    """Our network and loss, in the precision that surrounds them."""
    diffusion = Diffusion()

    def losses(x0: Tensor, t: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
        noised = diffusion.noised(x0, t, noise)
        return diffusion.loss(model(noised, t, labels).float(), x0, noised, t, noise)

    return losses


def loop(
    losses: Losses,
    classes: int,
    optimizer: torch.optim.Optimizer,
    update_average: Callable[[], None],
    given: argparse.Namespace,
) -> Steps:
    """Steps as the published loop makes them, the loss read back at every one."""
    pack = Latents(4 * given.batch, classes)

    def steps(count: int) -> None:
        for step in range(count):
            rows = torch.arange(given.batch) + step % 3 * given.batch
            x0, labels = pack.values[rows].to(given.device), pack.labels[rows].to(given.device)
            t = torch.randint(0, 1000, (given.batch,), device=given.device)
            loss = losses(x0, t, labels, torch.randn_like(x0)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            update_average()
            loss.item()

    return steps
