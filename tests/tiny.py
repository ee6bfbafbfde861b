"""A fine-tuning of seconds that several tests share: four classes in two superclasses, on the shipped base."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor

from finefit import methods, objectives
from finefit.deltas.network import network, unconditional
from finefit.latents.pack import Pack
from finefit.models.checkpoint import read_base
from finefit.models.dit import DiT
from finefit.training.learning_rate import peak_rates
from finefit.training.train import train

ROOT = Path(__file__).parents[1]
CODEC = ROOT / "data/base/patch-pca-2.safetensors"
BASE_FILE = ROOT / "data/base/mini-32.safetensors"
BASE = read_base(BASE_FILE)
TRAIN = {
    "steps": 4,
    "batch_size": 4,
    "schedule": "constant",
    "warmup_steps": 0,
    "weight_decay": 0.0,
    "label_dropout": 0.5,
    "ema_decay": 0.9,
    "flip": True,
    "precision": "float32",
    "recompute": False,
}
SAMPLE = {
    "seed": 0,
    "sampler": "dpmpp",
    "steps": 2,
    "guidance": "none",
    "scale": 1.0,
    "guided_channels": 3,
    "guidance_interval": (0, 999),
}


def run_of(method: str, **settings) -> dict:
    """A run's description."""
    return {
        "method": method,
        "method_settings": {"lr": 1e-3} | settings,
        "network": {"size": "Mini", "patch": 2},
        "seed": 0,
        "num_classes": 4,
        "superclass_of": [0, 0, 1, 1],
        "latent_shape": [4, 16, 16],
    }


def fine_tuned(run: dict, latents: Pack, folder: Path) -> tuple[DiT, dict[str, Tensor]]:
    """The network after four steps by the run's objective, and the average of what was trained."""
    model = network(run, BASE)
    rates = peak_rates(model, 1e-3, {})
    references = methods.find(run["method"]).Settings(**run["method_settings"]).guidance
    settings, base = SimpleNamespace(**TRAIN), unconditional(BASE_FILE, model.shape).requires_grad_(False)
    module = objectives.find(run.get("objective", {"name": "plain"})["name"])
    source = torch.randn(5, *run["latent_shape"], generator=torch.Generator().manual_seed(0))
    material = objectives.Material(TRAIN["steps"], model.y_embedder.null_row, source)
    objective = module.Objective(module.Settings(), material)
    average, _ = train(model, rates, latents, settings, references, 0, folder / "state", objective=objective, base=base)
    return model, average


def trained_tensors(model: DiT) -> dict[str, Tensor]:
    """What a delta of `model` holds."""
    return {name: value.detach() for name, value in model.named_parameters() if name in model.trained}


def shaken(model: DiT) -> DiT:
    """`model` with everything that it trains moved at random, as if trained for long."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.named_parameters():
        if name in model.trained:
            value.data += 0.1 * torch.randn(value.shape, generator=generator)
    return model


@torch.no_grad()
def answer(model: DiT) -> Tensor:
    """Output at fixed latents, timesteps and rows."""
    x = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    return model.eval()(x.to(model.pos_embed.dtype), torch.tensor([3, 900]), torch.tensor([0, 3]))
