"""A study as small as one can be, of every kind of job but those of a classifier; a project in links to this one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbformat
import yaml

from finefit.rehearsal import folder

ROOT = Path(__file__).parents[1]
SMALL: dict[str, Any] = {
    "data": {"embedded": {"resolutions": [32], "options": {"classes": 4, "train_per_class": 8, "test_per_class": 6}}},
    "train": {"steps": 6, "batch_size": 2},
    "methods": {"bitfit": {"lr": 1e-3, "objective": {"name": "diff_tuning", "pictures": 4, "sampling_steps": 2}}},
    "sample": {"sampler": "ddim", "steps": 2, "per_class": 2, "scale": 1.5, "batch_size": 2},
    "evaluate": {
        "probe_steps": 1,
        "split_halves": 1,
        "diversity_pairs": 1,
        "denoising_per_class": 1,
        "denoising_timesteps": 1,
    },
}


def study(**changes: object) -> str:
    """The smoke study's text, made small, with sections replaced."""
    content = yaml.safe_load((ROOT / "studies/smoke.yaml").read_text(encoding="utf-8"))
    return yaml.safe_dump(content | SMALL | changes, sort_keys=False)


def project(place: Path) -> Path:
    """A project whose code, tables and weights are links to this one's, and whose study is the small one."""
    (place / "data").mkdir(parents=True)
    for path in ROOT.iterdir():
        if path.name not in folder.OWN and not path.name.startswith(".") and path.name != "params.yaml":
            (place / path.name).symlink_to(path)
    for path in (ROOT / "data").iterdir():
        if path.name not in folder.OWN_DATA:
            (place / "data" / path.name).symlink_to(path)
    shutil.copy(ROOT / "data/sources.csv", place / "data")
    (place / "params.yaml").write_text(study(), encoding="utf-8")
    return place


def without_kernel(notebook: Path, executed: Path, parameters: dict[str, str], python: object) -> None:
    """In place of a notebook's execution: its cells as they stand."""
    nbformat.write(nbformat.read(notebook, as_version=4), executed)
