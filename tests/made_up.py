"""A finished study of made-up numbers, for tests of what is told about studies."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.numpy import save_file

from finefit.analysis import scores
from finefit.analysis.classes import METRICS as OF_CLASSES
from finefit.data import sources
from finefit.jobs import store
from finefit.jobs.job import Job
from finefit.models.shapes import CLASS_TABLE
from finefit.study import reading
from finefit.study.config import Study
from finefit.study.plan import Plan

ROOT = Path(__file__).parents[1]
CLASSES, SIDE = 6, 8
STUDY = {
    "name": "tiny",
    "seeds": [0, 1],
    "data": {"embedded": {"resolutions": [SIDE], "options": {"classes": CLASSES}}},
    "codec": {"name": "patch_pca", "weights": "some-codec"},
    "base": {"size": "Mini", "patch": 2, "weights": None},
    "train": {"steps": 20, "batch_size": 8},
    "methods": {
        "full": {},
        "finediffusion": {"guidance": ["superclass", "null"]},
        "flat": {"method": "finediffusion", "embedder": "flat", "guidance": ["null"]},
    },
    "sample": {"steps": 2, "per_class": 2, "scale": 1.5, "sweep": {"finediffusion": [1.0, 3.0]}},
    "evaluate": {"probe_steps": 4, "judges": []},
}
REAL = {
    "classifier_class_accuracy": 0.875, "classifier_superclass_accuracy": 0.9375, "fd_probe_floor": 1.2345,
    "fd_probe_floor_size": 96, "diversity_probe_real": 0.4321, "codec_psnr": 29.87, "codec_fd_probe": 3.4567,
    "codec_class_accuracy": 0.8125,
}  # fmt: skip


class MadeUpScores(scores.Scores):
    """Scores that were never computed by a study."""

    study, evaluations = None, None  # a table of its own instead of the abstract ones

    def __init__(self, study: Study, evaluations: pd.DataFrame):
        self.study, self.evaluations = study, evaluations


@dataclass(frozen=True)
class Size:
    """How large a made-up study is.

    Attributes:
        classes: and `supers` superclasses.
        side: of a picture, in pixels.
        width: numbers in a class's row of the class table.
        bands: of timesteps, which the denoising loss is told for.
    """

    classes: int = CLASSES
    supers: int = CLASSES // 2
    side: int = SIDE
    width: int = 4
    bands: int = 2


def finished(
    root: Path, patch: pytest.MonkeyPatch, study: dict[str, Any] = STUDY, size: Size = Size()
) -> Iterator[Plan]:
    """A repository's root with a finished study; it is the working directory while the generator stands."""
    patch.chdir(root)
    patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    for shared in ("notebooks", "claims.yaml", "data/published"):
        Path(shared).parent.mkdir(exist_ok=True)
        Path(shared).symlink_to(ROOT / shared)
    Path("data/sources.csv").write_text(
        "name,file,url,bytes,checksum,licence,terms\nsome-codec,codec.safetensors,,1,sha256:00,none,none\n"
    )
    Path("study.yaml").write_text(yaml.safe_dump(study))
    sources.table.cache_clear()
    plan = Plan(reading.load(Path("study.yaml")))
    random = np.random.default_rng(0)
    for job in plan.jobs:
        if job.kind != "report":
            fake(job, random, size)
    yield plan
    sources.table.cache_clear()


def fake(job: Job, random: np.random.Generator, size: Size = Size()) -> None:
    """Write an artifact of the right form."""
    classes, side = size.classes, size.side
    job.path.mkdir(parents=True)
    files: dict[str, dict] = {}
    if job.kind == "hierarchy":
        names = [f"class <{i}>" for i in range(classes)]
        supers = [i * size.supers // classes for i in range(classes)]
        table = {"class_id": range(classes), "class_name": names, "superclass_id": supers, "superclass": supers}
        pd.DataFrame(table).astype({"superclass": str}).to_csv(job.path / "hierarchy.csv", index=False)
    if job.kind == "finetune":
        files["run.json"] = {
            "trained_parameters": 1234,
            "total_parameters": 9999,
            "trained_share": 0.1234,
            "delta_bytes": 5000,
        }
        pd.DataFrame({"step": range(20), "loss": random.random(20)}).to_csv(job.path / "losses.csv", index=False)
        save_file({CLASS_TABLE: random.random((classes + 1, size.width), np.float32)}, job.path / "delta.safetensors")
    if job.kind == "sample":
        np.save(job.path / "images.npy", random.integers(0, 256, (2 * classes, side, side, 3), np.uint8))
        np.save(job.path / "labels.npy", np.repeat(np.arange(classes), 2))
    if job.kind == "reference":
        files["reference.json"] = REAL
        np.save(job.path / "gallery.npy", random.integers(0, 256, (classes, 4, side, side, 3), np.uint8))
    if job.kind == "data":
        index = {"key": range(classes), "class_id": range(classes), "split": "train"}
        pd.DataFrame(index).to_csv(job.path / "index.csv", index=False)
    if job.kind == "judge":
        files["judge.json"] = {"judge": "probe", "known": 0.9, "wanted": 0.75, "copies": 1, "pictures": 12}
        files["judge.json"]["failures"] = {"precision": "plain noise scores 0.85, real pictures 0.87"}
        seen = [("blur", "fd", "1 pixels", True), ("blur", "precision", "", False)]
        share = np.resize([1.0, 0.75, 0.5, 0.25, 1.0, 0.75], classes)
        known = {"class_id": range(classes), "pictures": 4, "known": share}
        pd.DataFrame(known).to_csv(job.path / "known.csv", index=False)
        columns = ["degradation", "score", "mildest", "rises"]
        pd.DataFrame(seen, columns=columns).to_csv(job.path / "seen.csv", index=False)
    if job.kind == "denoise":
        files["denoising.json"] = {"denoising_loss": random.random()}
        wide = 1000 // size.bands
        bands = [{"from": low, "to": low + wide - 1, "loss": random.random()} for low in range(0, 1000, wide)]
        table = pd.DataFrame([band | {"class_id": name, "pictures": 4} for name in range(classes) for band in bands])
        table.to_csv(job.path / "denoising.csv", index=False)
    if job.kind == "evaluate":
        apart = ("fid", "lpips", *scores.OF_RUN)
        values = {metric: random.random() for metric in scores.METRICS if metric not in apart}
        files["metrics.json"] = {"samples": 12, "lpips": None} | values
        files["metrics.json"]["fd_probe"] += 10
        supers = {"superclass_id": range(size.supers), "pictures": 4, "fd_probe": random.random(size.supers)}
        pd.DataFrame(supers).to_csv(job.path / "superclasses.csv", index=False)
        by_class = {name: random.random(classes) for name in (*OF_CLASSES, "kid_probe")}
        by_class["class_accuracy_probe"] = np.resize([1.0, 0.5, 0.0, 0.0, 0.0, 0.25], classes)
        pair = random.integers(0, 256, (2, 3, side, side, 3), np.uint8)
        nearest = {"samples": pair[0], "train": pair[1], "distances": random.random(3)}
        nearest |= {"first_classes": np.arange(3), "first_samples": pair[0], "first_train": pair[1]}
        np.savez(job.path / "neighbours-probe.npz", **nearest)
        rows = [("probe", half, score, random.random()) for half in (0, 1) for score in ("fd_probe", "kid_probe")]
        halves = pd.DataFrame(rows, columns=["judge", "half", "score", "value"])
        halves.to_csv(job.path / "halves.csv", index=False)
        pd.DataFrame({"class_id": range(classes)} | by_class).to_csv(job.path / "classes.csv", index=False)
    for name, values in files.items():
        (job.path / name).write_text(json.dumps(values))
    store.write_provenance(job, job.path, 12.5)
