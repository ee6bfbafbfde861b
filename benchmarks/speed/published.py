"""FineDiffusion's published network, step and sampler, from a checkout that this project neither holds nor copies."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from benchmarks.speed.ours import CLASSES, LATENT, SUPERCLASSES, awake
from benchmarks.speed.plain import Steps, plain
from finefit.jobs.torchvision_shim import importable_torchvision


def load(folder: Path, other: str = "diffusion") -> tuple[ModuleType, ModuleType]:
    """The modules `models` and `diffusion` (or another) of a checkout, freshly imported from its folder."""
    importable_torchvision()
    sys.modules["turtle"] = ModuleType("turtle")  # imported for nothing by FineDiffusion, and needs a screen
    sys.modules["turtle"].shape = None
    for name in [name for name in sys.modules if name.split(".")[0] in ("models", other)]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        modules = import_module("models"), import_module(other)
    finally:
        sys.path.remove(str(folder))
    return modules


def error(ours: Tensor, theirs: Tensor) -> float:
    """Norm of the difference over the norm."""
    return ((ours - theirs).norm() / theirs.norm()).item()


def training(given: argparse.Namespace) -> Steps:
    """The published network and loss under the published kind of step."""
    model, diffusion = network(given), given.diffusion.create_diffusion("")
    for name, value in model.named_parameters():
        value.requires_grad_("y_embedder" in name or "bias" in name or "norm" in name)

    def losses(x0: Tensor, t: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
        return diffusion.training_losses(model, x0, t, {"y": labels}, noise=noise)["loss"]

    return plain(model.train(), losses, given)


def sampling(given: argparse.Namespace) -> Callable[[], Tensor]:
    """The published guided sampler at the measured number of steps."""
    model, n = network(given).eval(), given.sampling_batch
    diffusion = given.diffusion.create_diffusion(str(given.sampling_steps))
    labels = torch.arange(n, device=given.device)
    settings = {"y": torch.cat([labels, labels % SUPERCLASSES + CLASSES]), "cfg_scale": 4.0}

    @torch.no_grad()
    def act() -> Tensor:
        start = torch.randn(2 * n, 4, LATENT, LATENT, device=given.device)
        return diffusion.p_sample_loop(
            model.forward_with_cfg, start.shape, start, clip_denoised=False, model_kwargs=settings, device=given.device
        )

    return act


def network(given: argparse.Namespace) -> nn.Module:
    """FineDiffusion's own network of the measured size."""
    with torch.device(given.device):
        build = given.models.DiT_models[f"DiT-{given.size}/{given.patch}"]
        model = build(input_size=LATENT, num_classes=CLASSES, num_super_classes=SUPERCLASSES)
    return awake(model.to(given.device))
