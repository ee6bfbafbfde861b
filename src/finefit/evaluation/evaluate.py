"""Phase "evaluate": scores of every set of samples, beside what the reference found on real pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from finefit.data import sources
from finefit.evaluation.measured import measured
from finefit.evaluation.reference import pictures
from finefit.hierarchy.superclasses import superclass_of
from finefit.jobs.finite import require_finite
from finefit.jobs.job import Job
from finefit.metrics import probe
from finefit.metrics.diversity import class_diversities, mean_diversity, pairwise_diversity, probe_distance
from finefit.metrics.frechet import frechet_distance, group_distances
from finefit.metrics.kernel import kernel_distance
from finefit.metrics.manifold import memorised_share, precision_recall

Measures = dict[str, Callable[[], float]]
REAL = ("features", "labels", "train-features")  # arrays of a reference that samples are compared with


def build(job: Job, out: Path, scratch: Path) -> None:
    """Score one set of samples; distances are taken to the real test pictures.

    Writes `metrics.json`, `superclasses.csv` (distance of each superclass at equal counts) and `classes.csv` (scores
    that a single class has; a Frechet distance, of a class's few pictures in many dimensions, is none).
    """
    samples, reference = job.inputs["sample"], job.inputs["reference"]
    images = torch.from_numpy(np.load(samples.path / "images.npy"))
    labels = torch.from_numpy(np.load(samples.path / "labels.npy"))
    supers = torch.tensor(superclass_of(reference.inputs["hierarchy"]))
    judge = probe.load(reference.path / "probe.safetensors")
    logits = probe.in_batches(probe.load(reference.path / "classifier.safetensors"), images)
    features = probe.in_batches(judge.features, images).numpy()
    real, real_labels, train = (np.load(reference.path / f"{name}.npy") for name in REAL)
    right = {
        "class_accuracy": (logits.argmax(1) == labels).numpy(),
        "superclass_accuracy": (supers[logits.argmax(1)] == supers[labels]).numpy(),
    }
    require_finite("features of samples", features)
    diversities = class_diversities(images, labels, probe_distance(judge), reference.settings["diversity_pairs"], 0)
    measures = feature_measures(features, real, train) | {"diversity_probe": lambda: mean_diversity(diversities)}
    measures |= published(images, labels, reference, job.settings["published"])
    result = {"samples": len(images), "fid": None, "lpips": None} | measured(measures)
    result |= {metric: float(hits.mean()) for metric, hits in right.items()}
    (out / "metrics.json").write_text(json.dumps(result, indent=1) + "\n")

    distances, size = group_distances(features, supers[labels].numpy(), real, supers[real_labels].numpy(), seed=0)
    table = {"superclass_id": list(distances), "pictures": size, "fd_probe": list(distances.values())}
    pd.DataFrame(table).to_csv(out / "superclasses.csv", index=False)

    class_scores(labels, right, diversities).to_csv(out / "classes.csv", index=False)


def class_scores(labels: Tensor, right: dict[str, np.ndarray], diversities: np.ndarray) -> pd.DataFrame:
    """A row per class: its pictures, the share of each kind of hit among them, their diversity.

    Args:
        labels: `[n]`, the class that each picture was asked for.
        right: hits `[n]` by metric.
        diversities: `[classes]`, nan for a class of fewer than two pictures.
    """
    by_class = pd.DataFrame(right).groupby(labels.numpy())
    table = by_class.mean().assign(pictures=by_class.size()).reindex(range(len(diversities)))
    table = table.assign(diversity_probe=diversities, pictures=table["pictures"].fillna(0).astype(int))
    return table.rename_axis("class_id").reset_index()[["class_id", "pictures", *right, "diversity_probe"]]


def feature_scores(features: np.ndarray, real: np.ndarray, train: np.ndarray) -> dict[str, float]:
    """Scores of samples' probe features `[n, d]` beside those of real test pictures and of training pictures."""
    return measured(feature_measures(features, real, train))


def feature_measures(features: np.ndarray, real: np.ndarray, train: np.ndarray) -> Measures:
    """What is measured in the probe's features: see `feature_scores`."""
    kernel = cache(lambda: kernel_distance(real, features, seed=0))
    manifold = cache(lambda: precision_recall(*equal_numbers(real, features)))
    return {
        "fd_probe": lambda: frechet_distance(features, real),
        "kid_probe": lambda: kernel()[0],
        "kid_probe_error": lambda: kernel()[1],
        "precision_probe": lambda: manifold()[0],
        "recall_probe": lambda: manifold()[1],
        "memorised_probe": lambda: memorised_share(features, train, real),
    }


def equal_numbers(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Random draws of the smaller set's number of rows from both."""
    size = min(len(first), len(second))
    first, second = (rows[np.random.default_rng(0).permutation(len(rows))[:size]] for rows in (first, second))
    return first, second


def published(images: Tensor, labels: Tensor, reference: Job, weights: dict[str, dict]) -> Measures:
    """The published metrics that the study asks for, by the published networks."""
    from finefit.metrics.published import fid, lpips_distance

    def inception() -> float:
        real, _ = pictures(reference.inputs["data"], "test", reference.settings["resolution"])
        return fid(real, images, sources.fetch(weights["fid"]["name"]))

    def perceptual() -> float:
        distance = lpips_distance(sources.fetch(weights["lpips"]["name"]))
        return pairwise_diversity(images, labels, distance, reference.settings["diversity_pairs"], seed=0)

    return {name: take for name, take in {"fid": inception, "lpips": perceptual}.items() if name in weights}
