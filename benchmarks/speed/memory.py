"""Peak memory of `reference`, `judge` and `evaluate` by number of pictures.

    python -m benchmarks.speed.memory 2000 20000

For every count as many training pictures, half as many test pictures and half as many samples of 256 pixels stand in:
noise that is made when it is read. So that the pictures are what counts, networks are narrow and see every eighth
pixel, and the codec gives pictures back as they are. Each job runs in a process of its own, whose peak the system
tells; with `--json FILE` the numbers are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from finefit import cli, codecs
from finefit.commands.jobs import builder
from finefit.evaluation import neighbours, pictures, reference
from finefit.jobs import store
from finefit.jobs.job import Job
from finefit.metrics import probe
from finefit.study import reading
from finefit.study.plan import Plan

ROOT, SIDE, CLASSES, WIDTH = Path(__file__).parents[2], 256, 10, 4
SPLITS = {"train": 1.0, "test": 0.5, "samples": 0.5}  # pictures, of the count
STUDY = {
    "name": "memory",
    "seeds": [0],
    "data": {"embedded": {"resolutions": [SIDE], "options": {"classes": CLASSES}}},
    "codec": {"name": "patch_pca", "weights": "codec-patch-pca-2"},
    "base": {"size": "Mini", "patch": 2, "weights": None},
    "train": {"steps": 1, "batch_size": 1},
    "methods": {"labels": {}},
    "sample": {"steps": 2, "per_class": 2},
    "evaluate": {"probe_steps": 2, "diversity_pairs": 1, "split_halves": 1},
}


def noise(keys: pd.Series) -> np.ndarray:
    """A picture for each key, which is a number: a function of the key alone."""
    made = [np.random.Generator(np.random.SFC64(int(key))).bytes(3 * SIDE**2) for key in keys]
    return np.frombuffer(b"".join(made), np.uint8).reshape(-1, SIDE, SIDE, 3).copy()


def inputs(plan: Plan, count: int) -> None:
    """The artifacts that the three jobs read, for so many pictures."""
    numbers = {split: int(share * count) for split, share in SPLITS.items()}
    data, hierarchy, sample = (plan.kind(kind)[0] for kind in ("data", "hierarchy", "sample"))
    for job in (data, hierarchy, sample):
        job.path.mkdir(parents=True)
        job.marker.write_text(json.dumps({"digest": job.digest, "files": {}}))
    rows = [(number, number % CLASSES, split) for split in ("train", "test") for number in range(numbers[split])]
    index = pd.DataFrame(rows, columns=["key", "class_id", "split"])
    index["key"] = range(len(index))
    index.to_csv(data.path / "index.csv", index=False)
    classes = pd.DataFrame({"class_id": range(CLASSES), "class_name": [f"class {n}" for n in range(CLASSES)]})
    classes.to_csv(data.path / "classes.csv", index=False)
    supers = classes.assign(superclass_id=classes["class_id"] % 5, superclass="some")
    supers.to_csv(hierarchy.path / "hierarchy.csv", index=False)
    shape = (numbers["samples"], SIDE, SIDE, 3)
    with open(sample.path / "images.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for number in range(numbers["samples"]):
            file.write(noise(pd.Series([10**9 + number])).data)
    np.save(sample.path / "labels.npy", np.arange(numbers["samples"]) % CLASSES)


class Nothing:
    """A codec that changes nothing."""

    def to(self, device: str) -> Nothing:
        """Itself."""
        return self

    def encode(self, images: Tensor) -> tuple[Tensor, None]:
        """The pictures."""
        return images, None

    def decode(self, latents: Tensor) -> Tensor:
        """The pictures."""
        return latents


def small_networks() -> None:
    """Let the study's networks be narrow, and see every eighth pixel; let pictures be noise, and the codec none."""
    for options in (reference.PROBE, reference.CLASSIFIER):
        options["width"] = WIDTH
    whole = probe.Probe.activations
    probe.Probe.activations = lambda network, images: whole(network, images[:, ::8, ::8])
    codecs.load = lambda settings: Nothing()
    for module in (pictures, neighbours):
        module.read_pictures = lambda data, rows, resolution: noise(rows["key"])


def peak(job: Job) -> float:
    """Megabytes that making a job's artifact took at most, in a process of its own."""
    child = os.fork()
    if not child:
        code = 1
        try:
            store.produce(job, builder(job.kind))
            code = 0
        finally:
            os._exit(code)
    _, status, used = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"{job.path}: ended with {status}")
    return used.ru_maxrss / 1024


def main() -> None:
    """Print a row for every count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", type=int, nargs="+", help="training pictures")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    cli.one_thread()
    cli.keep_freed_memory()
    small_networks()
    found = []
    for count in given.counts:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            for name in ("sources.csv", "base"):
                (Path(folder) / "data").mkdir(exist_ok=True)
                (Path(folder) / "data" / name).symlink_to(ROOT / "data" / name)
            plan = Plan(reading.parse(STUDY, "memory"))
            inputs(plan, count)
            jobs = [plan.kind(kind)[0] for kind in ("reference", "judge", "evaluate")]
            row = {"pictures": count} | {job.kind: round(peak(job)) for job in jobs}
            row["scores"] = json.loads((jobs[2].path / "metrics.json").read_text())
            os.chdir(ROOT)
        row["before"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(row, flush=True)
        found.append(row)
    if given.json:
        given.json.write_text(json.dumps({"results": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
