"""Phase "sample": packed pictures of every class from one run, at one guidance and scale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from finefit import codecs, processes
from finefit.diffusion import guidance
from finefit.diffusion.predict import guided, told
from finefit.diffusion.taylorseer import forecasting
from finefit.jobs import ranks, readers
from finefit.jobs.devices import device_here, uses_bfloat16
from finefit.jobs.finite import require_finite
from finefit.jobs.parts import timed
from finefit.jobs.trial import few_classes
from finefit.models.dit import DiT
from finefit.sampling.batches import batches_of, join, keep_batches
from finefit.sampling.networks import load_to_sample
from finefit.study.passes import evaluations, passes

if TYPE_CHECKING:
    from finefit.jobs.job import Job
    from finefit.processes import Noise, Predict, Process

COMPARED = 8  # pictures that are drawn once more without forecasts, where a study asks for these


def build(job: Job, out: Path, scratch: Path) -> None:
    """Sample `per_class` pictures of every class: `images.npy` uint8 `[n, r, r, 3]` and `labels.npy` int64 `[n]`; and
    `taylorseer.json`, what forecasts cost, where the study asks for these."""
    ranks.launch(sample_batches, ranks.wanted(), job, scratch)
    for name in ("images", "labels"):
        join(scratch, name, out)
    if job.settings.get("evaluate_every", 1) > 1:
        (out / "taylorseer.json").write_text(json.dumps(forecast_loss(job, out), indent=1) + "\n")


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
        with timed("denoising passes", len(labels) * evaluations(settings) * passes(settings)):
            latents = sample(model, labels, numbers, settings, precision, device, pair)
            require_finite(f"latents that {settings['sampler']} gave in batch {which}", latents)
        with timed("pictures decoded", len(labels)):
            return {"images": codec.decode(latents).cpu().numpy()}

    keep_batches(batches(model, settings, settings["batch_size"]), pictures, scratch)


def batches(model: DiT, settings: dict, size: int) -> list[tuple[Tensor, Tensor]]:
    """Labels and numbers of all pictures that a job makes, in batches (see `batches_of`)."""
    classes, per_class = torch.arange(model.y_embedder.num_classes), settings["per_class"]
    if "trial" in settings:
        classes, per_class = torch.from_numpy(few_classes(len(classes), settings["trial"] // 2)), min(per_class, 2)
    return batches_of(classes, per_class, size)


def forecast_loss(job: Job, out: Path) -> dict[str, float]:
    """How far the first `COMPARED` pictures in `out` are from those of the same noise with every evaluation made.

    Gives `pictures` and `rms`, the root mean square difference in grey levels of 255.
    """
    device, settings = device_here(), {**job.settings, "evaluate_every": 1}
    model, pair, precision = load_to_sample(job, device)
    labels, numbers = batches(model, settings, COMPARED)[0]
    latents = sample(model, labels, numbers, settings, precision, device, pair)
    whole = codecs.load(settings["codec"]).to(device).decode(latents).cpu().numpy()
    differences = whole.astype(np.float64) - readers.array(out / "images.npy", mapped=True)[: len(whole)]
    return {"pictures": len(whole), "rms": float(np.sqrt(np.mean(differences**2)))}


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
        settings: `seed`, `sampler`, `steps`, `guidance`, `scale`, `guided_channels`, `guidance_interval`,
            `guidance_form` where it is not plain, `evaluate_every` where it is not 1, and `process` where it is not
            the default.
        precision: as in training.
        pair: `model` beside the network that guidance "base" or "auto" points away from.
    """
    model.y_embedder.check(labels)
    noise = noise_source(settings["seed"], labels, numbers, model, device)
    labels = labels.to(device)
    process = processes.of(settings)
    predict = predictor(model.eval(), labels, settings, pair and pair.eval(), process)
    with (
        forecasting(pair or model, settings.get("evaluate_every", 1)),
        torch.autocast(device, torch.bfloat16, enabled=uses_bfloat16(precision, device)),
    ):
        return process.sample(settings["sampler"], predict, noise(), settings["steps"], noise)


def predictor(model: DiT, labels: Tensor, settings: dict, pair: DiT | None, process: Process) -> Predict:
    """What a sampler asks at every step; see `sample`.

    Raises:
        ValueError: the network cannot be guided so.
    """
    if settings["guidance"] == "learned":
        if model.y_embedder.scale is None:
            raise ValueError("guidance 'learned' needs a network that was trained to take a scale")
        return told(model, labels, settings["scale"], settings["guidance_interval"], process)
    elsewhere = settings["guidance"] in ("base", "auto")
    if elsewhere and pair is None:
        raise ValueError(f"guidance {settings['guidance']!r} needs the network to guide away from beside the run's")
    return guided(
        model,
        labels,
        references_of(model, labels, settings["guidance"]),
        settings["scale"],
        settings["guided_channels"],
        settings["guidance_interval"],
        getattr(guidance, settings.get("guidance_form", "plain")),
        pair if elsewhere else None,
        process,
    )


def references_of(model: DiT, labels: Tensor, away: str) -> Tensor | None:
    """Rows that guidance points away from, `[n]`, of `model`'s class table or of that of the network beside it."""
    if away == "none":
        return None
    if away == "base":
        return torch.zeros_like(labels)  # the only row of `unconditional`
    return labels if away == "auto" else model.y_embedder.reference_rows(labels, away)


def noise_source(seed: int, labels: Tensor, numbers: Tensor, model: DiT, device: str) -> Noise:
    """Standard normal noise, each picture's a function of (seed, label, number) and of how often it was asked for."""
    shape = (model.shape.latent_channels, model.shape.latent_size, model.shape.latent_size)
    generators = [
        torch.Generator().manual_seed(int(np.random.SeedSequence([seed, label, number]).generate_state(1)[0]))
        for label, number in zip(labels.tolist(), numbers.tolist(), strict=True)
    ]
    return lambda: torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(device)
