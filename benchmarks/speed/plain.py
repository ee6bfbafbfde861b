"""What to compare ours with: a plain step, which the published network takes too, ours with a dense class table, and
autograd's own operators in the place of `finefit.models.passes`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from benchmarks.speed.ours import AVERAGE_DECAY, CLASSES, Latents
from finefit.jobs.devices import store_frozen_as_bfloat16, uses_bfloat16
from finefit.models import dit
from finefit.models.dit import DiT
from finefit.models.passes import split
from finefit.processes.ddpm import Diffusion

Steps = Callable[[int], object]
Losses = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # of (latents, timesteps, labels, noise), `[n]`


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
    low = uses_bfloat16("auto", given.device)
    if low:
        store_frozen_as_bfloat16(model)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0, fused=True)
    average = [parameter.detach().clone() for parameter in trained]

    def update() -> None:
        torch._foreach_lerp_(average, [parameter.detach() for parameter in trained], 1 - AVERAGE_DECAY)

    precise = diffusion_losses(model)

    def losses(*batch: Tensor) -> Tensor:
        with torch.autocast(given.device, torch.bfloat16, enabled=low):
            return precise(*batch)

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
    pack = Latents(4 * given.batch, classes, given.latent)

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


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """As `finefit.models.passes.modulate`."""
    return torch.addcmul(shift, x, 1 + scale)


def gated(x: Tensor, gate: Tensor, y: Tensor) -> Tensor:
    """As `finefit.models.passes.gated`."""
    return x + gate * y


def attended(qkv: Tensor, heads: int) -> Tensor:
    """As `finefit.models.passes.attended`."""
    q, k, v = split(qkv, heads)
    with torch.autocast("cpu", enabled=False):
        x = (q * q.shape[3] ** -0.5 @ k.transpose(2, 3)).softmax(-1) @ v
    return x.transpose(1, 2).reshape(*qkv.shape[:2], -1)


FORMS = (modulate, gated, attended)


@contextmanager
def autograds_own() -> Iterator[None]:
    """Let the network compute by autograd's own operators."""
    names = [form.__name__ for form in FORMS]
    before = [getattr(dit, name) for name in names]
    for form in FORMS:
        setattr(dit, form.__name__, form)
    try:
        yield
    finally:
        for name, form in zip(names, before, strict=True):
            setattr(dit, name, form)
