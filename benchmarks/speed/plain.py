"""Steps to compare ours with: a plain one, which the published network takes too, and ours with a dense class table."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.speed.ours import AVERAGE_DECAY, CLASSES, Latents
from finefit.jobs.devices import store_frozen_as_bfloat16, uses_bfloat16
from finefit.models.dit import DiT
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
