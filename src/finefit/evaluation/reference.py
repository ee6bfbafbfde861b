"""Phase "evaluate", first: networks that judge samples, and what real pictures and the codec score by themselves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from finefit import codecs
from finefit.data.pictures import reduced
from finefit.evaluation.measured import measured
from finefit.evaluation.pictures import of_split
from finefit.hierarchy.superclasses import superclass_of
from finefit.jobs import arrays
from finefit.jobs.arrays import OnDisk, gathered
from finefit.jobs.devices import device_here
from finefit.jobs.finite import require_finite
from finefit.jobs.job import Job
from finefit.jobs.parts import timed
from finefit.jobs.whole import whole
from finefit.metrics import probe
from finefit.metrics.accuracy import class_accuracy, superclass_accuracy
from finefit.metrics.diversity import pairwise_diversity, probe_distance
from finefit.metrics.frechet import frechet_distance, split_half_distance
from finefit.metrics.kernel import rows_of_classes
from finefit.metrics.probe import Images

PROBE, CLASSIFIER = {"width": 32, "seed": 1}, {"width": 24, "seed": 2}  # measure features; name classes
GALLERY, MOST_SHOWN = 8, 16_384  # real pictures of each class kept for the report, and of all classes at most
CLASSES_AT_ONCE = 32  # that the gallery is made of


def build(job: Job, out: Path, scratch: Path) -> None:
    """Train probe and classifier on the real training pictures; measure real test pictures and the codec with them.

    Test pictures are gone through once, a batch at a time. Writes `probe.safetensors`, `classifier.safetensors`,
    `gallery.npy` (`gallery`) and `reference.json`.
    """
    data, settings, device = job.inputs["data"], job.settings, device_here()
    supers = torch.tensor(superclass_of(job.inputs["hierarchy"]))
    train, train_labels = of_split(data, "train", settings["resolution"])
    test, test_labels = of_split(data, "test", settings["resolution"])
    networks = {}
    for name, options in {"probe": PROBE, "classifier": CLASSIFIER}.items():
        if not (kept := scratch / f"{name}.safetensors").exists():
            fitted = probe.fit(train, train_labels, len(supers), settings["probe_steps"], **options)
            with whole(kept) as partial:
                probe.save(fitted, partial)
        shutil.copyfile(kept, out / kept.name)
        networks[name] = probe.load(kept, device)
    codec = codecs.load(settings["codec"]).to(device)

    def look(rows: slice) -> dict[str, np.ndarray]:
        """What is seen of some test pictures, and of what the codec makes of them."""
        pictures = test[rows]
        with timed("pictures encoded and decoded", len(pictures)):
            decoded = codec.decode(codec.encode(pictures.to(device))[0]).cpu()
        real, recoded = (networks["probe"].features(images) for images in (pictures, decoded))
        found = {
            "real": real,
            "recoded": recoded,
            "probe_named": networks["probe"].head(real).argmax(1),
            "named": networks["classifier"](pictures).argmax(1),
            "recoded_named": networks["classifier"](decoded).argmax(1),
            "psnr": psnr(pictures, decoded),
        }
        require_finite("features of real pictures", {"test": real, "decoded": recoded})
        return {name: values.cpu().numpy() for name, values in found.items()}

    with torch.no_grad():
        seen = gathered(scratch / "test", len(test), look, "test pictures seen")
    told = {name: torch.from_numpy(seen[name][:]) for name in ("probe_named", "named", "recoded_named", "psnr")}
    half = min(settings["per_class"] * len(supers), len(test) // 2)
    distance = probe_distance(networks["probe"])
    result = {
        "train_images": len(train),
        "test_images": len(test),
        "fd_probe_floor_size": half,
    }
    result |= measured(
        {
            "classifier_class_accuracy": lambda: class_accuracy(told["named"], test_labels),
            "classifier_superclass_accuracy": lambda: superclass_accuracy(told["named"], test_labels, supers),
            "probe_class_accuracy": lambda: class_accuracy(told["probe_named"], test_labels),
            "fd_probe_floor": lambda: split_half_distance(seen["real"], half, 0, settings["split_halves"]),
            "diversity_probe_real": lambda: pairwise_diversity(
                test, test_labels, distance, settings["diversity_pairs"], seed=0
            ),
            "codec_psnr": lambda: told["psnr"].mean().item(),
            "codec_fd_probe": lambda: frechet_distance(seen["recoded"], seen["real"]),
            "codec_class_accuracy": lambda: class_accuracy(told["recoded_named"], test_labels),
        }
    )
    shown = gallery(test, test_labels, len(supers), scratch / "gallery")
    arrays.save(shown, out / "gallery.npy")
    (out / "reference.json").write_text(json.dumps(result, indent=1) + "\n")


def psnr(images: Tensor, others: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each pair of uint8 pictures, in decibels: `[n]`."""
    error = (images.float() - others.float()).square().flatten(1).mean(1).clamp(min=1e-3)
    return 10 * torch.log10(255**2 / error)


def gallery(images: Images, labels: Tensor, classes: int, folder: Path) -> OnDisk:
    """The first pictures of every class, uint8 `[classes, k, s, s, 3]`: `GALLERY`, or as many as `MOST_SHOWN` allows.

    They are `reduced` to what a page shows: of 10,000 classes at 512 pixels the whole ones would be 8 GB. They repeat
    where a class has fewer, and are black where it has none.
    """
    kept = max(1, min(GALLERY, MOST_SHOWN // classes))
    members = rows_of_classes(labels.numpy(), classes)
    shape = reduced(images[:1].numpy()).shape[1:]

    def make(some: slice) -> dict[str, np.ndarray]:
        shown = np.zeros((some.stop - some.start, kept, *shape), np.uint8)
        for place, rows in enumerate(members[some]):
            if len(rows):
                shown[place] = reduced(images[rows[np.arange(kept) % len(rows)]].numpy())
        return {"gallery": shown}

    return gathered(folder, classes, make, "classes shown", batch=CLASSES_AT_ONCE)["gallery"]
