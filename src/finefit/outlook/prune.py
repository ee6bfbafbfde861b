"""`finefit prune`: artifacts that no study and no record of dvc names any more.

Kept is what a study is made of that stands in this repository (params.yaml, studies/*.yaml) or ran here, wherever its
file lies; what dvc.lock records; and what a running job works on. Reports keep their address and are never removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from finefit.jobs import readers
from finefit.jobs.job import PHASES
from finefit.jobs.locks import claimed
from finefit.jobs.quantities import size
from finefit.jobs.store import SCRATCH
from finefit.study import reading, snapshots
from finefit.study.plan import Plan

LOCK, CACHE = Path("dvc.lock"), Path(".dvc/cache/files/md5")
FOLDERS = {Path(folder) for _, folder in PHASES.values()} - {Path("reports")}


def studies(study_files: list[Path]) -> list[Path]:
    """The given study files, and those of every study that ran here; of a file that is gone, its newest snapshot."""
    ran = [origin if origin.exists() else kept for origin, kept in snapshots.newest().items()]
    return list(dict.fromkeys([*study_files, *ran]))


def unused(study_files: list[Path]) -> list[Path]:
    """Folders that may go: published artifacts, and what stopped jobs left in scratch.

    Args:
        study_files: what `studies` gives.

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
    stages = (reading.read(LOCK)[0] or {}).get("stages", {})
    return {path for stage in stages.values() for out in stage.get("outs", []) for path in listed(out)}


def listed(out: dict) -> Iterator[Path]:
    """Artifacts within one recorded output."""
    manifest = CACHE / out["md5"][:2] / out["md5"][2:]
    if not manifest.exists():
        yield Path(out["path"])
        return
    for entry in readers.content(manifest, "run `dvc fetch`, or delete it") if out["md5"].endswith(".dir") else []:
        yield (Path(out["path"]) / entry["relpath"]).parent


def locked(scratch: Path) -> bool:
    """Whether a process works in a job's scratch folder."""
    with claimed(scratch.with_name(f"{scratch.name}.lock")) as free:
        return not free


def listing(found: list[Path]) -> Iterator[str]:
    """A line for each folder that may go, and their number and size."""
    total = 0
    for path in found:
        content = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        yield f"unused   {size(content):>8}  {path}"
        total += content
    yield f"{len(found)} unused folders, {size(total)}"
