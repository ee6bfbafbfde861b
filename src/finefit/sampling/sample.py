"""Phase "sample": packed pictures of every class from one run, at one guidance and scale."""

from __future__ import annotations

import sys
import time
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from finefit import codecs
from finefit.deltas.delta import load_run
from finefit.diffusion import samplers
from finefit.hierarchy.index import few_classes
from finefit.jobs import ranks, stopping
from finefit.jobs.arrays import append
from finefit.jobs.devices import device_here, store_frozen_as_bfloat16, uses_bfloat16
from finefit.jobs.finite import require_finite
from finefit.jobs.parts import timed
from finefit.jobs.progress import earlier_seconds, keep_seconds, progress
from finefit.models.dit import DiT

if TYPE_CHECKING:
    from finefit.jobs.job import Job


def build(job: Job, out: Path, scratch: Path) -> None:
    """Sample `per_class` pictures of every class: `images.npy` uint8 `[n, r, r, 3]` and `labels.npy` int64 `[n]`."""
    ranks.launch(sample_batches, ranks.wanted(), job, scratch)
    paths = sorted(scratch.glob("batch-*.npz"))
    count = sum(len(np.load(path)["labels"]) for path in paths)
    for number, path in enumerate(paths):  # one at a time: all may be more than memory holds
        with np.load(path) as batch:
            for name in ("images", "labels"):
                append(out / f"{name}.npy", batch[name], count, first=number == 0)


def sample_batches(job: Job, scratch: Path) -> None:
    """Sample the batches that are not yet in `scratch`, each rank every so many; a batch is the same on any rank.

    Raises:
        ToBeContinued: the job was told to stop; finished batches are kept.
        ValueError: latents are not finite.
    """
    device, settings = device_here(), job.settings
    model, precision = load_to_sample(job.inputs["run"], device)
    codec = codecs.load(settings["codec"]).to(device)
    classes, per_class = torch.arange(model.y_embedder.num_classes), settings["per_class"]
    if "trial" in settings:
        classes, per_class = torch.from_numpy(few_classes(len(classes), settings["trial"] // 2)), min(per_class, 2)
    batches = batches_of(classes, per_class, settings["batch_size"])
    start = time.monotonic() - earlier_seconds(scratch)
    for first in progress(range(0, len(batches), ranks.count()), "sampling batches"):
        mine = first + ranks.number()
        path = scratch / f"batch-{mine:06d}.npz"
        if mine < len(batches) and not whole(path):
            count = len(batches[mine][0])
            with timed("denoising passes", count * settings["steps"] * (1 if settings["guidance"] == "none" else 2)):
                latents = sample(model, *batches[mine], settings, precision, device)
                require_finite(f"latents that {settings['sampler']} gave in batch {mine}", latents)
            with timed("pictures decoded", count):
                images = codec.decode(latents).cpu().numpy()
            with open(path.with_suffix(".partial"), "wb") as file:
                np.savez(file, images=images, labels=batches[mine][0].numpy())
            path.with_suffix(".partial").rename(path)
        if ranks.number() == 0:
            keep_seconds(scratch, time.monotonic() - start)
        if ranks.any_rank(stopping.asked()):
            raise stopping.ToBeContinued


def whole(path: Path) -> bool:
    """Whether a batch is there; one that was cut off is told and taken away."""
    if not path.exists():
        return False
    try:
        with np.load(path) as batch:
            return len(batch["images"]) == len(batch["labels"])
    except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        print(f"{path}: cut off ({error}); it is sampled anew", file=sys.stderr)
        path.unlink()
        return False


def load_to_sample(run: Job, device: str) -> tuple[DiT, str]:
    """A run's network, frozen on the device, and the precision it was trained in.

    Raises:
        ValueError: a file of the run does not hold what it should.
    """
    precision = run.settings["train"]["precision"]
    return frozen(load_run(run), precision, device), precision


def frozen(model: DiT, precision: str, device: str) -> DiT:
    """The network on the device, with no gradients and in as few bytes as the precision allows."""
    model.requires_grad_(False).to(device)
    if uses_bfloat16(precision, device):
        store_frozen_as_bfloat16(model)
    return model


def batches_of(classes: Tensor, per_class: int, size: int) -> list[tuple[Tensor, Tensor]]:
    """Labels and numbers, int64 `[<= size]` each, of `per_class` pictures of each class, class after class."""
    labels = classes.repeat_interleave(per_class)
    numbers = torch.arange(per_class).repeat(len(classes))
    return list(zip(labels.split(size), numbers.split(size), strict=True))


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
