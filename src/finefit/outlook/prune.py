"""`finefit prune`: artifacts that no study and no record of dvc names any more.

Kept is what a study of this repository (params.yaml, studies/*.yaml) is made of, what dvc.lock records, and what a
running job works on. Reports keep their address and are never removed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

from finefit.jobs.job import PHASES
from finefit.jobs.locks import claimed
from finefit.jobs.store import SCRATCH
from finefit.outlook.forecast import size
from finefit.study import reading
from finefit.study.plan import Plan

LOCK, CACHE = Path("dvc.lock"), Path(".dvc/cache/files/md5")
FOLDERS = {Path(folder) for _, folder in PHASES.values()} - {Path("reports")}


def unused(study_files: list[Path]) -> list[Path]:
    """Folders that may go: published artifacts, and what stopped jobs left in scratch.

    Raises:
        ValueError: a study has faults, so that what it needs is not known.
    """
    jobs = [job for file in study_files for job in Plan(reading.load(file)).jobs]
    kept, digests = {job.path for job in jobs} | recorded(), {job.digest for job in jobs}
    published = [marker.parent for folder in sorted(FOLDERS) for marker in sorted(folder.rglob("provenance.json"))]
    left = [path for path in sorted(SCRATCH.glob("[0-9a-f]" * 64)) if path.name not in digests and not locked(path)]
    return [path for path in published if path not in kept and not FOLDERS & set(path.parents) & kept] + left


def recorded() -> set[Path]:
    """Artifacts that dvc.lock records; a whole folder where its list of files is not in dvc's cache."""
    if not LOCK.exists():
        return set()
    stages = yaml.safe_load(LOCK.read_text(encoding="utf-8"))["stages"].values()
    return {path for stage in stages for out in stage.get("outs", []) for path in listed(out)}


def listed(out: dict) -> Iterator[Path]:
    """Artifacts within one recorded output."""
    manifest = CACHE / out["md5"][:2] / out["md5"][2:]
    if not manifest.exists():
        yield Path(out["path"])
        return
    for entry in json.loads(manifest.read_text()) if out["md5"].endswith(".dir") else []:
        yield (Path(out["path"]) / entry["relpath"]).parent


def locked(scratch: Path) -> bool:
    """Whether a process works in a job's scratch folder."""
    with claimed(scratch.with_name(f"{scratch.name}.lock")) as free:
        return not free


def prune(study_files: list[Path], delete: bool) -> Iterator[str]:
    """Say what may go, line by line, and delete it if asked."""
    total, found = 0, unused(study_files)
    for path in found:
        content = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        yield f"{'deleted' if delete else 'unused '}  {size(content):>8}  {path}"
        total += content
        if delete:
            shutil.rmtree(path)
    advice = "" if delete or not found else "; `finefit prune --delete` removes them"
    yield f"{len(found)} unused folders, {size(total)}{advice}"
