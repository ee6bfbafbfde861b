"""Phase "evaluate", first: networks that judge samples, and what real pictures and the codec score by themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from finefit import codecs
from finefit.data.pictures import gathered
from finefit.evaluation.measured import measured
from finefit.evaluation.pictures import of_split
from finefit.hierarchy.superclasses import superclass_of
from finefit.jobs.devices import device_here
from finefit.jobs.finite import require_finite
from finefit.jobs.job import Job
from finefit.metrics import probe
from finefit.metrics.accuracy import class_accuracy, superclass_accuracy
from finefit.metrics.diversity import pairwise_diversity, probe_distance
from finefit.metrics.frechet import frechet_distance, split_half_distance

PROBE, CLASSIFIER = {"width": 32, "seed": 1}, {"width": 24, "seed": 2}  # measure features; name classes
AT_ONCE = 256  # pictures that the codec takes
GALLERY = 8  # real pictures of each class kept for the report


def build(job: Job, out: Path, scratch: Path) -> None:
    """Train probe and classifier on the real training pictures; measure real test pictures and the codec with them.

    Writes `probe.safetensors`, `classifier.safetensors`, `gallery.npy` uint8 `[classes, k, r, r, 3]` and
    `reference.json`.
    """
    data, settings = job.inputs["data"], job.settings
    supers = torch.tensor(superclass_of(job.inputs["hierarchy"]))
    train, train_labels = of_split(data, "train", settings["resolution"], scratch)
    test, test_labels = of_split(data, "test", settings["resolution"], scratch)
    networks = {}
    for name, options in {"probe": PROBE, "classifier": CLASSIFIER}.items():
        networks[name] = probe.fit(train, train_labels, len(supers), settings["probe_steps"], **options)
        probe.save(networks[name], out / f"{name}.safetensors")
    decoded = through_codec(settings["codec"], test, scratch / "decoded.pictures")
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


@torch.no_grad()
def through_codec(settings: dict, images: Tensor, file: Path) -> Tensor:
    """Pictures encoded and decoded again; many are kept in `file`."""
    device = device_here()
    codec = codecs.load(settings).to(device)
    parts = (codec.decode(codec.encode(part.to(device))[0]).cpu().numpy() for part in images.split(AT_ONCE))
    return torch.from_numpy(gathered(parts, len(images), images.shape[1], file))


def psnr(images: Tensor, others: Tensor) -> float:
    """Mean peak signal-to-noise ratio of pairs of uint8 pictures, in decibels."""
    pairs = zip(images.split(AT_ONCE), others.split(AT_ONCE), strict=True)
    errors = torch.cat([(one.float() - other.float()).square().flatten(1).mean(1) for one, other in pairs])
    return (10 * torch.log10(255**2 / errors.clamp(min=1e-3))).mean().item()


def gallery(images: Tensor, labels: Tensor, classes: int) -> np.ndarray:
    """The first `GALLERY` pictures of every class, repeating where it has fewer; black where it has none."""
    shown = np.zeros((classes, GALLERY, *images.shape[1:]), np.uint8)
    for label in labels.unique().tolist():
        members = torch.nonzero(labels == label).flatten()
        shown[label] = images[members[torch.arange(GALLERY) % len(members)]].numpy()
    return shown
