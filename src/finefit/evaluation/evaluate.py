"""Phase "evaluate": scores of every set of samples by every judge, beside what these saw in real pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from finefit import judges
from finefit.data import sources
from finefit.evaluation import judge, scores
from finefit.evaluation.measured import measured
from finefit.evaluation.scores import Measures, Real
from finefit.hierarchy.index import read_index, read_pictures
from finefit.hierarchy.superclasses import superclass_of
from finefit.jobs.finite import require_finite
from finefit.jobs.job import Job
from finefit.metrics import probe
from finefit.metrics.diversity import class_diversities, mean_diversity, pairwise_diversity, probe_distance
from finefit.metrics.frechet import group_distances
from finefit.metrics.kernel import class_distances
from finefit.metrics.manifold import nearest

NEIGHBOURS = 8  # samples that lie nearest to training pictures, kept beside those


def build(job: Job, out: Path, scratch: Path) -> None:
    """Score one set of samples; distances are taken to the real test pictures.

    Writes `metrics.json`, `superclasses.csv` (distance of each superclass at equal counts), `classes.csv` (scores that
    a single class has; a Frechet distance, of a class's few pictures in many dimensions, is none), `halves.csv` (scores
    of two halves of the samples apart) and for every judge `neighbours-<judge>.npz`.
    """
    samples, reference = job.inputs["sample"], job.inputs["reference"]
    images = torch.from_numpy(np.load(samples.path / "images.npy", mmap_mode="c"))
    labels = torch.from_numpy(np.load(samples.path / "labels.npy"))
    supers = torch.tensor(superclass_of(reference.inputs["hierarchy"]))
    logits = probe.in_batches(probe.load(reference.path / "classifier.safetensors"), images)
    right = {
        "class_accuracy": (logits.argmax(1) == labels).numpy(),
        "superclass_accuracy": (supers[logits.argmax(1)] == supers[labels]).numpy(),
    }
    distance = probe_distance(probe.load(reference.path / "probe.safetensors"))
    diversities = class_diversities(images, labels, distance, reference.settings["diversity_pairs"], 0)
    measures: Measures = {}
    by_class, halves = class_scores(labels, right, diversities), []
    for name, judging in judges_of(job).items():
        features = probe.in_batches(judge.network(judging), images).numpy()
        real = scores.load(judging.path)
        require_finite("features of samples", features)
        measures |= named(name, scores.measures(features, labels.numpy(), real, supers.numpy()))
        halves += [row | {"judge": name} for row in half_scores(features, labels.numpy(), real, supers.numpy(), name)]
        distances = class_distances(features, labels.numpy(), real.features, real.labels, len(supers))
        by_class[judges.column("kd", name)] = distances[by_class["class_id"]]
        neighbours = nearest_training(features, real.train, images, reference.inputs["data"], judging)
        np.savez(out / f"neighbours-{judges.slug(name)}.npz", **neighbours)
        if name == judges.OWN:
            superclasses(features, supers[labels].numpy(), real, supers.numpy()).to_csv(
                out / "superclasses.csv", index=False
            )
    measures |= {"diversity_probe": lambda: mean_diversity(diversities)}
    measures |= published(images, labels, reference, job.settings["published"])
    result = {"samples": len(images)} | measured(measures)
    result |= {metric: float(hits.mean()) for metric, hits in right.items()}
    (out / "metrics.json").write_text(json.dumps(result, indent=1) + "\n")
    by_class.to_csv(out / "classes.csv", index=False)
    pd.DataFrame(halves, columns=["judge", "half", "score", "value"]).to_csv(out / "halves.csv", index=False)


def judges_of(job: Job) -> dict[str, Job]:
    """The "judge" jobs that an "evaluate" job builds on, by the judge's name."""
    return {source.settings["judge"]: source for source in job.inputs.values() if source.kind == "judge"}


def named(name: str, found: Measures) -> Measures:
    """A judge's scores under the columns that bear its name; the error of its kernel distance beside that."""
    error = f"{judges.column('kd', name)}_error"
    return {error if score == "kd_error" else judges.column(score, name): take for score, take in found.items()}


def half_scores(features: np.ndarray, labels: np.ndarray, real: Real, supers: np.ndarray, name: str) -> list[dict]:
    """Rows `half`, `score` (a column's name), `value` of every other picture of each class, and of those between.

    The halves have noise of their own, so that a guidance scale that was chosen on one is scored on the other without
    the luck that it was chosen for. None where a class has a single picture.
    """
    half = pd.Series(labels).groupby(labels).cumcount().to_numpy() % 2
    if (half == 1).sum() < 2:
        return []
    rows = []
    for which in (0, 1):
        part = scores.measures(features[half == which], labels[half == which], real, supers)
        found = scores.taken(named(name, part))
        rows += [{"half": which, "score": score, "value": value} for score, value in found.items()]
    return rows


def superclasses(features: np.ndarray, groups: np.ndarray, real: Real, supers: np.ndarray) -> pd.DataFrame:
    """The distance of each superclass at one number of pictures."""
    distances, size = group_distances(features, groups, real.features, supers[real.labels], seed=0)
    return pd.DataFrame({"superclass_id": list(distances), "pictures": size, "fd_probe": list(distances.values())})


def nearest_training(
    features: np.ndarray, train: np.ndarray, images: Tensor, data: Job, judging: Job
) -> dict[str, np.ndarray]:
    """The samples nearest to training pictures, with those: `samples`, `train` `[k, r, r, 3]`, `distances` `[k]`."""
    gaps = nearest(features, train, 1)[:, 0].numpy()
    rows = gaps.argsort(kind="stable")[:NEIGHBOURS]
    places = [int(np.square(train - features[row]).sum(1).argmin()) for row in rows]
    copied = read_pictures(data, read_index(data, "train").iloc[places], judging.settings["resolution"])
    return {"samples": images[rows].numpy(), "train": copied, "distances": gaps[rows]}


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


def published(images: Tensor, labels: Tensor, reference: Job, weights: dict[str, dict]) -> Measures:
    """LPIPS by the published network where the study asks for it."""
    from finefit.metrics.published import lpips_distance

    if "lpips" not in weights:
        return {}
    distance, pairs = lpips_distance(sources.fetch(weights["lpips"]["name"])), reference.settings["diversity_pairs"]
    return {"lpips": lambda: pairwise_diversity(images, labels, distance, pairs, seed=0)}
