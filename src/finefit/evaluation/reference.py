"""Phase "evaluate", first: networks that judge samples, and what real pictures and the codec score by themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from finefit import codecs
from finefit.evaluation.measured import measured
from finefit.evaluation.pictures import of_split
from finefit.hierarchy.superclasses import superclass_of
from finefit.jobs.finite import require_finite
from finefit.jobs.job import Job
from finefit.metrics import probe
from finefit.metrics.accuracy import class_accuracy, superclass_accuracy
from finefit.metrics.diversity import pairwise_diversity, probe_distance
from finefit.metrics.frechet import frechet_distance, split_half_distance

PROBE, CLASSIFIER = {"width": 32, "seed": 1}, {"width": 24, "seed": 2}  # measure features; name classes
GALLERY = 8  # real pictures of each class kept for the report


def build(job: Job, out: Path, scratch: Path) -> None:
    """Train probe and classifier on the real training pictures; measure real test pictures and the codec with them.

    Writes `probe.safetensors`, `classifier.safetensors`, `gallery.npy` uint8 `[classes, k, r, r, 3]` and
    `reference.json`.
    """
    data, settings = job.inputs["data"], job.settings
    supers = torch.tensor(superclass_of(job.inputs["hierarchy"]))
    train, train_labels = of_split(data, "train", settings["resolution"])
    test, test_labels = of_split(data, "test", settings["resolution"])
    networks = {}
    for name, options in {"probe": PROBE, "classifier": CLASSIFIER}.items():
        networks[name] = probe.fit(train, train_labels, len(supers), settings["probe_steps"], **options)
        probe.save(networks[name], out / f"{name}.safetensors")
    codec = codecs.load(settings["codec"])
    decoded = torch.cat([codec.decode(codec.encode(part)[0]) for part in test.split(256)])
    real = probe.in_batches(networks["probe"].features, test).numpy()
    recoded = probe.in_batches(networks["probe"].features, decoded).numpy()
    real_logits = probe.in_batches(networks["classifier"], test)
    half = min(settings["per_class"] * len(supers), len(test) // 2)
    distance = probe_distance(networks["probe"])
    require_finite("features of real pictures", {"test": real, "decoded": recoded})
    result = {
        "train_images": len(train),
        "test_images": len(test),
        "fd_probe_floor_size": half,
    }
    result |= measured(
        {
            "classifier_class_accuracy": lambda: class_accuracy(real_logits, test_labels),
            "classifier_superclass_accuracy": lambda: superclass_accuracy(real_logits, test_labels, supers),
            "probe_class_accuracy": lambda: class_accuracy(probe.in_batches(networks["probe"], test), test_labels),
            "fd_probe_floor": lambda: split_half_distance(real, half, seed=0, repeats=settings["split_halves"]),
            "diversity_probe_real": lambda: pairwise_diversity(
                test, test_labels, distance, settings["diversity_pairs"], seed=0
            ),
            "codec_psnr": lambda: psnr(test, decoded),
            "codec_fd_probe": lambda: frechet_distance(recoded, real),
            "codec_class_accuracy": lambda: class_accuracy(
                probe.in_batches(networks["classifier"], decoded), test_labels
            ),
        }
    )
    np.save(out / "gallery.npy", gallery(test, test_labels, len(supers)))
    (out / "reference.json").write_text(json.dumps(result, indent=1) + "\n")


def psnr(images: Tensor, others: Tensor) -> float:
    """Mean peak signal-to-noise ratio of pairs of uint8 pictures, in decibels."""
    error = (images.float() - others.float()).square().flatten(1).mean(1).clamp(min=1e-3)
    return (10 * torch.log10(255**2 / error)).mean().item()


def gallery(images: Tensor, labels: Tensor, classes: int) -> np.ndarray:
    """The first `GALLERY` pictures of every class, repeating where it has fewer; black where it has none."""
    shown = np.zeros((classes, GALLERY, *images.shape[1:]), np.uint8)
    for label in labels.unique().tolist():
        members = torch.nonzero(labels == label).flatten()
        shown[label] = images[members[torch.arange(GALLERY) % len(members)]].numpy()
    return shown
