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
from finefit.evaluation.breakdowns import class_scores, half_scores, named, superclasses
from finefit.evaluation.measured import measured
from finefit.evaluation.neighbours import firsts, nearest_training
from finefit.evaluation.pictures import of_samples
from finefit.evaluation.real import Real
from finefit.evaluation.scores import Measures
from finefit.hierarchy.superclasses import superclass_of
from finefit.jobs.arrays import gathered
from finefit.jobs.devices import device_here
from finefit.jobs.job import Job
from finefit.metrics import manifold, probe
from finefit.metrics.diversity import class_diversities, mean_diversity, pairwise_diversity, probe_distance
from finefit.metrics.kernel import class_distances
from finefit.metrics.probe import Images


def build(job: Job, out: Path, scratch: Path) -> None:
    """Score one set of samples; distances are taken to the real test pictures.

    What networks see in the samples is kept in `scratch` as it comes, so that a stopped job goes on. Writes
    `metrics.json`, `superclasses.csv` (distance of each superclass at equal counts), `classes.csv` (scores that a
    single class has, also by each judge's head; a Frechet distance, of a class's few pictures in many dimensions, is
    none), `halves.csv` (scores of two halves of the samples apart) and for every judge `neighbours-<judge>.npz`.
    """
    reference, device = job.inputs["reference"], device_here()
    images, labels = of_samples(job.inputs["sample"])
    supers = torch.tensor(superclass_of(reference.inputs["hierarchy"]))
    named_class = classes_named(reference, images, scratch / "classifier")
    right = {
        "class_accuracy": (named_class == labels).numpy(),
        "superclass_accuracy": (supers[named_class] == supers[labels]).numpy(),
    }
    distance = probe_distance(probe.load(reference.path / "probe.safetensors", device))
    diversities = class_diversities(images, labels, distance, reference.settings["diversity_pairs"], 0)
    measures: Measures = {}
    by_class, halves = class_scores(labels, right, diversities), []
    for judging in job.judges:
        name = judging.settings["judge"]
        seeing, kept = judge.network(judging), scratch / judges.slug(name)
        features = judge.features_of(seeing, images, kept, f"samples seen by {name}")
        real = Real.load(judging.path)
        gaps = manifold.gaps(features, real.train)
        seen = features, labels.numpy(), gaps
        measures |= named(name, scores.measures(*seen, real, supers.numpy()))
        halves += [row | {"judge": name} for row in half_scores(*seen, real, supers.numpy(), name)]
        distances = class_distances(features, labels.numpy(), real.features, real.labels, len(supers))
        by_class[judges.column("kd", name)] = distances[by_class["class_id"]]
        told = pd.Series(scores.hits(features, labels.numpy(), real, supers.numpy())["class_accuracy"])
        by_class[judges.column("class_accuracy", name)] = by_class["class_id"].map(told.groupby(labels.numpy()).mean())
        beside = real.train, images, reference.inputs["data"], judging
        neighbours = nearest_training(features, gaps, *beside) | firsts(features, labels.numpy(), *beside)
        np.savez(out / f"neighbours-{judges.slug(name)}.npz", **neighbours)
        if name == judges.OWN:
            table = superclasses(features, supers[labels].numpy(), real, supers.numpy())
            table.to_csv(out / "superclasses.csv", index=False)
    measures |= {"diversity_probe": lambda: mean_diversity(diversities)}
    measures |= published(images, labels, reference, job.settings["published"])
    result = {"samples": len(images)} | measured(measures)
    result |= {metric: float(hits.mean()) for metric, hits in right.items()}
    (out / "metrics.json").write_text(json.dumps(result, indent=1) + "\n")
    by_class.to_csv(out / "classes.csv", index=False)
    pd.DataFrame(halves, columns=["judge", "half", "score", "value"]).to_csv(out / "halves.csv", index=False)


def classes_named(reference: Job, images: Images, folder: Path) -> Tensor:
    """The class id `[n]` that the reference's classifier names each picture by."""
    classifier = probe.load(reference.path / "classifier.safetensors", device_here())

    @torch.no_grad()
    def name(rows: slice) -> dict[str, np.ndarray]:
        return {"named": classifier(images[rows]).argmax(1).cpu().numpy()}

    return torch.from_numpy(gathered(folder, len(images), name, "samples named")["named"][:])


def published(images: Images, labels: Tensor, reference: Job, weights: dict[str, dict]) -> Measures:
    """LPIPS by the published network where the study asks for it."""
    from finefit.metrics.published import lpips_distance

    if "lpips" not in weights:
        return {}
    distance = lpips_distance(sources.fetch(weights["lpips"]["name"]), device_here())
    pairs = reference.settings["diversity_pairs"]
    return {"lpips": lambda: pairwise_diversity(images, labels, distance, pairs, seed=0)}
