"""Phase "sample": packed pictures of every class from one run, at one guidance and scale."""

from __future__ import annotations

import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from finefit import codecs
from finefit.deltas.beside import beside
from finefit.deltas.delta import load_run
from finefit.deltas.network import unconditional
from finefit.diffusion import guidance, samplers
from finefit.jobs import ranks, stopping
from finefit.jobs.devices import device_here, store_frozen_as_bfloat16, uses_bfloat16
from finefit.jobs.finite import require_finite
from finefit.jobs.progress import earlier_seconds, keep_seconds, progress
from finefit.models.dit import DiT

if TYPE_CHECKING:
    from finefit.jobs.job import Job


def build(job: Job, out: Path, scratch: Path) -> None:
    """Sample `per_class` pictures of every class: `images.npy` uint8 `[n, r, r, 3]` and `labels.npy` int64 `[n]`."""
    ranks.launch(sample_batches, max(1, torch.cuda.device_count()), job, scratch)
    for name, values in joined(scratch).items():
        np.save(out / f"{name}.npy", values)


def joined(scratch: Path) -> dict[str, np.ndarray]:
    """The kept batches as one, by name."""
    batches = [np.load(path) for path in sorted(scratch.glob("batch-*.npz"))]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0].files}


def sample_batches(job: Job, scratch: Path) -> None:
    """Sample the batches that are not yet in `scratch`, each rank every so many; a batch is the same on any rank.

    Raises:
        ToBeContinued: the job was told to stop; finished batches are kept.
        ValueError: latents are not finite.
    """
    device, settings = device_here(), job.settings
    model, pair, precision = load_to_sample(job, device)
    codec = codecs.load(settings["codec"]).to(device)

    def pictures(labels: Tensor, numbers: Tensor, which: int) -> dict[str, np.ndarray]:
        latents = sample(model, labels, numbers, settings, precision, device, pair)
        require_finite(f"latents that {settings['sampler']} gave in batch {which}", latents)
        return {"images": codec.decode(latents).cpu().numpy(), "labels": labels.numpy()}

    classes = model.y_embedder.num_classes
    keep_batches(batches_of_all(classes, settings["per_class"], settings["batch_size"]), pictures, scratch)


def keep_batches(
    batches: list[tuple[Tensor, Tensor]], draw: Callable[[Tensor, Tensor, int], dict[str, np.ndarray]], scratch: Path
) -> None:
    """Write what `draw(labels, numbers, which)` gives for every batch that is not yet in `scratch`, each rank every
    so many.

    Raises:
        ToBeContinued: the job was told to stop; finished batches are kept.
    """
    start = time.monotonic() - earlier_seconds(scratch)
    for first in progress(range(0, len(batches), ranks.count()), "sampling batches"):
        mine = first + ranks.number()
        path = scratch / f"batch-{mine:06d}.npz"
        if mine < len(batches) and not whole(path):
            made = draw(*batches[mine], mine)
            with open(path.with_suffix(".partial"), "wb") as file:
                np.savez(file, **made)
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
            return len({len(batch[name]) for name in batch.files}) == 1
    except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        print(f"{path}: cut off ({error}); it is sampled anew", file=sys.stderr)
        path.unlink()
        return False


def load_to_sample(job: Job, device: str) -> tuple[DiT, DiT | None, str]:
    """What a "sample" job asks, frozen on the device: its run's network; that beside the one to guide away from, where
    it is another one; and the precision that the run was trained in.

    Raises:
        ValueError: a file does not hold what it should, or the base has no null row to guide away from.
    """
    run, away = job.inputs["run"], job.settings["guidance"]
    model, pair, precision = load_run(run), None, run.settings["train"]["precision"]
    if away == "base":
        base = run.inputs["base"]
        pair = beside_base(model, base.path / "base.safetensors", base.settings.get("null_row", "last"))
        if pair is None:
            raise ValueError(f"{base.path}: was trained without a null row; leave guidance base out of the study")
    elif away == "auto":
        pair = beside(model, load_run(job.inputs["other"]))
    return frozen(model, precision, device), pair and frozen(pair, precision, device), precision


def beside_base(model: DiT, file: Path, null: int | str) -> DiT | None:
    """A fine-tuned network beside the untouched base at its null row; None where it has no such row.

    Args:
        file, null: as `unconditional` takes them.
    """
    base = unconditional(file, model.shape, null)
    return base and beside(model, base)


def frozen(model: DiT, precision: str, device: str) -> DiT:
    """The network on the device, with no gradients and in as few bytes as the precision allows."""
    model.requires_grad_(False).to(device)
    if uses_bfloat16(precision, device):
        store_frozen_as_bfloat16(model)
    return model


def batches_of_all(num_classes: int, per_class: int, size: int) -> list[tuple[Tensor, Tensor]]:
    """Labels and numbers, int64 `[<= size]` each, of `per_class` pictures of every class, class after class."""
    labels = torch.arange(num_classes).repeat_interleave(per_class)
    numbers = torch.arange(per_class).repeat(num_classes)
    return list(zip(labels.split(size), numbers.split(size), strict=True))


@torch.inference_mode()
def sample(
    model: DiT,
    labels: Tensor,
    numbers: Tensor,
    settings: dict,
    precision: str,
    device: str,
    pair: DiT | None = None,
) -> Tensor:
    """Latents `[n, c, h, w]` of the given labels; picture `number` of a class has the same noise in every method.

    Args:
        labels: int64 `[n]` class ids.
        numbers: int64 `[n]`, which picture of its class each is.
        settings: `seed`, `sampler`, `steps`, `guidance`, `scale`, `guided_channels`, `guidance_interval`, and
            `guidance_form` where it is not plain.
        precision: as in training.
        pair: `model` beside the network that guidance "base" or "auto" points away from.
    """
    model.y_embedder.check(labels)
    noise = noise_source(settings["seed"], labels, numbers, model, device)
    labels = labels.to(device)
    predict = predictor(model.eval(), labels, settings, pair and pair.eval())
    with torch.autocast(device, torch.bfloat16, enabled=uses_bfloat16(precision, device)):
        return getattr(samplers, settings["sampler"])(predict, noise(), settings["steps"], noise)


def predictor(model: DiT, labels: Tensor, settings: dict, pair: DiT | None) -> samplers.Predict:
    """What a sampler asks at every step; see `sample`.

    Raises:
        ValueError: the network cannot be guided so.
    """
    if settings["guidance"] == "learned":
        if model.y_embedder.scale is None:
            raise ValueError("guidance 'learned' needs a network that was trained to take a scale")
        return samplers.told(model, labels, settings["scale"], settings["guidance_interval"])
    elsewhere = settings["guidance"] in ("base", "auto")
    if elsewhere and pair is None:
        raise ValueError(f"guidance {settings['guidance']!r} needs the network to guide away from beside the run's")
    return samplers.guided(
        model,
        labels,
        references_of(model, labels, settings["guidance"]),
        settings["scale"],
        settings["guided_channels"],
        settings["guidance_interval"],
        getattr(guidance, settings.get("guidance_form", "plain")),
        pair if elsewhere else None,
    )


def references_of(model: DiT, labels: Tensor, away: str) -> Tensor | None:
    """Rows that guidance points away from, `[n]`, of `model`'s class table or of that of the network beside it."""
    if away == "none":
        return None
    if away == "base":
        return torch.zeros_like(labels)  # the only row of `unconditional`
    return labels if away == "auto" else model.y_embedder.reference_rows(labels, away)


def noise_source(seed: int, labels: Tensor, numbers: Tensor, model: DiT, device: str) -> samplers.Noise:
    """Standard normal noise, each picture's a function of (seed, label, number) and of how often it was asked for."""
    shape = (model.shape.latent_channels, model.shape.latent_size, model.shape.latent_size)
    generators = [
        torch.Generator().manual_seed(int(np.random.SeedSequence([seed, label, number]).generate_state(1)[0]))
        for label, number in zip(labels.tolist(), numbers.tolist(), strict=True)
    ]
    return lambda: torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(device)
