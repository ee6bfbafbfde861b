"""Fidelity and seconds of samplers on one finished run: what 250 ancestral steps buy over 25 of DPM-Solver++.

    python benchmarks/samplers.py runs/embedded-32/full-s0-1234abcd --json samplers.json
    python benchmarks/samplers.py runs/... --study studies/smoke.yaml --per-class 4

Every row draws the same labels from the same first noise, guided as in the study, and is judged as there: by the
networks of its reference, against real test pictures. Seconds hold sampling and decoding. Nothing is published.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from measuring import machine
from torch import Tensor

from finefit import codecs
from finefit.evaluation.evaluate import judges_of
from finefit.jobs import store
from finefit.jobs.devices import device_here
from finefit.jobs.job import Job
from finefit.metrics import probe
from finefit.metrics.accuracy import class_accuracy
from finefit.metrics.diversity import pairwise_diversity, probe_distance
from finefit.metrics.frechet import frechet_distance
from finefit.sampling.batches import batches_of
from finefit.sampling.networks import load_to_sample
from finefit.sampling.sample import sample
from finefit.study.plan import Plan
from finefit.study.reading import load

SAMPLERS = [("ancestral", 250), ("ddim", 50), ("ddim", 25), ("dpmpp", 25), ("dpmpp", 20), ("dpmpp", 12)]
COLUMNS = ["sampler", "steps", "evaluations", "seconds", "fd_probe", "class_accuracy", "diversity_probe"]


def judged(run: Job, plan: Plan) -> tuple[dict, Job]:
    """The run's settings of sampling at the study's own scale, and the evaluation of its samples.

    Raises:
        ValueError: one of them is not published.
    """
    scale = plan.study.sample.scale
    jobs = [job for job in plan.kind("evaluate") if job.inputs["sample"].inputs["run"] is run]
    job = next((job for job in jobs if job.inputs["sample"].settings["scale"] == scale), jobs[0])
    for needed in (run, *run.inputs.values(), *(part for role, part in job.inputs.items() if role != "sample")):
        store.check(needed)
    return job.inputs["sample"].settings, job


def drawn(job: Job, settings: dict, device: str) -> tuple[Tensor, Tensor, float, float]:
    """Pictures uint8 `[n, r, r, 3]` and labels `[n]`, the seconds they took, and network evaluations per picture."""
    model, pair, precision = load_to_sample(job, device)
    codec = codecs.load(settings["codec"]).to(device)
    evaluations = 0

    def count(_, inputs: tuple[Tensor, ...]) -> None:
        nonlocal evaluations
        evaluations += len(inputs[0])

    for network in filter(None, (model, pair)):
        network.register_forward_pre_hook(count)
    batches = batches_of(torch.arange(model.y_embedder.num_classes), settings["per_class"], settings["batch_size"])
    start = time.perf_counter()
    pictures = [
        codec.decode(sample(model, labels, numbers, settings, precision, device, pair)).cpu()
        for labels, numbers in batches
    ]
    labels = torch.cat([labels for labels, _ in batches])
    return torch.cat(pictures), labels, time.perf_counter() - start, evaluations / len(labels)


def scores(images: Tensor, labels: Tensor, evaluation: Job) -> dict[str, float]:
    """The study's scores of some pictures."""
    reference, judging = evaluation.inputs["reference"], judges_of(evaluation)["probe"]
    judge = probe.load(reference.path / "probe.safetensors")
    features = probe.in_batches(judge.features, images).numpy()
    logits = probe.in_batches(probe.load(reference.path / "classifier.safetensors"), images)
    pairs = reference.settings["diversity_pairs"]
    return {
        "fd_probe": frechet_distance(features, np.load(judging.path / "features.npy")),
        "class_accuracy": class_accuracy(logits.argmax(1), labels),
        "diversity_probe": pairwise_diversity(images, labels, probe_distance(judge), pairs, seed=0),
    }


def main() -> None:
    """Print a row for each sampler and, with --json, write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a finished run's folder")
    parser.add_argument("--study", type=Path, default=Path("params.yaml"))
    parser.add_argument("--per-class", type=int, help="pictures of each class; the study's where left out")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    plan, device = Plan(load(given.study)), device_here()
    run = plan.at(given.run)
    settings, evaluation = judged(run, plan)
    settings = settings | {"per_class": given.per_class or settings["per_class"]}
    kept = ("guidance", "scale", "guided_channels", "guidance_interval", "per_class", "batch_size", "seed")
    real = json.loads((evaluation.inputs["reference"].path / "reference.json").read_text())
    found = {
        "machine": machine(device),
        "run": run.path.as_posix(),
        "settings": {key: settings[key] for key in kept},
        "real": {key: real[key] for key in ("fd_probe_floor", "fd_probe_floor_size", "diversity_probe_real")},
        "rows": [],
    }
    print(" ".join(f"{column:>15}" for column in COLUMNS))
    for sampler, steps in SAMPLERS:
        images, labels, seconds, evaluations = drawn(
            evaluation.inputs["sample"], settings | {"sampler": sampler, "steps": steps}, device
        )
        row = {"sampler": sampler, "steps": steps, "evaluations": evaluations, "seconds": seconds}
        found["rows"].append(row | scores(images, labels, evaluation))
        print(" ".join(f"{shown(found['rows'][-1][column]):>15}" for column in COLUMNS), flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def shown(value: str | int | float) -> str:
    """A cell: words and whole numbers as they are, others to three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
