"""Phase "sample": packed pictures of every class from one run, at one guidance and scale."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from finefit import codecs, samplers
from finefit.devices import device_here, uses_bfloat16
from finefit.models.delta import load_run
from finefit.models.dit import DiT
from finefit.progress import progress

if TYPE_CHECKING:
    from finefit.plan import Job


def build(job: Job, out: Path, scratch: Path) -> None:
    """Sample `per_class` pictures of every class: `images.npy` uint8 `[n, r, r, 3]` and `labels.npy` int64 `[n]`."""
    device = device_here()
    run, settings = job.inputs["run"], job.settings
    model = load_run(run).to(device)
    labels = torch.arange(model.y_embedder.num_classes).repeat_interleave(settings["per_class"])
    numbers = torch.arange(settings["per_class"]).repeat(model.y_embedder.num_classes)
    codec = codecs.load(settings["codec"]).to(device)
    batches = list(zip(labels.split(settings["batch_size"]), numbers.split(settings["batch_size"]), strict=True))
    pictures = [
        codec.decode(sample(model, chosen, count, settings, run.settings["train"]["precision"], device)).cpu()
        for chosen, count in progress(batches, "sampling batches")
    ]
    np.save(out / "images.npy", torch.cat(pictures).numpy())
    np.save(out / "labels.npy", labels.numpy())


@torch.inference_mode()
def sample(model: DiT, labels: Tensor, numbers: Tensor, settings: dict, precision: str, device: str) -> Tensor:
    """Latents `[n, c, h, w]` of the given labels; picture `number` of a class has the same noise in every method.

    Args:
        labels: int64 `[n]` class ids.
        numbers: int64 `[n]`, which picture of its class each is.
        settings: `seed`, `sampler`, `steps`, `guidance`, `scale`, `guided_channels`, `guidance_interval`.
        precision: as in training.
    """
    model.y_embedder.check(labels)
    noise = noise_source(settings["seed"], labels, numbers, model, device)
    labels = labels.to(device)
    references = None
    if settings["guidance"] != "none":
        references = model.y_embedder.reference_rows(labels, settings["guidance"])
    predict = samplers.guided(
        model.eval(), labels, references, settings["scale"], settings["guided_channels"], settings["guidance_interval"]
    )
    with torch.autocast(device, torch.bfloat16, enabled=uses_bfloat16(precision, device)):
        return getattr(samplers, settings["sampler"])(predict, noise(), settings["steps"], noise)


def noise_source(seed: int, labels: Tensor, numbers: Tensor, model: DiT, device: str) -> samplers.Noise:
    """Standard normal noise, each picture's a function of (seed, label, number) and of how often it was asked for."""
    shape = (model.shape.latent_channels, model.shape.latent_size, model.shape.latent_size)
    generators = [
        torch.Generator().manual_seed(int(np.random.SeedSequence([seed, label, number]).generate_state(1)[0]))
        for label, number in zip(labels.tolist(), numbers.tolist(), strict=True)
    ]
    return lambda: torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(device)
