"""Publishing artifacts: worked on in scratch, made visible by one rename, described by their provenance.

A killed job finds its scratch folder again; a half-written artifact cannot be seen; two processes that want the same
artifact make it once.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from finefit.jobs.checksums import checksum
from finefit.jobs.job import Job
from finefit.jobs.locks import only_one
from finefit.jobs.machine import hardware, peak_bytes
from finefit.jobs.progress import earlier_seconds

SCRATCH = Path("scratch")
VERSIONS = ("torch", "numpy", "pandas")


def produce(job: Job, build: Callable[[Job, Path, Path], None]) -> None:
    """Make a job's artifact unless it is published.

    Args:
        job: what to make.
        build: `build(job, out, scratch)` writes the artifact's files into the folder `out`; `scratch` outlives a kill.

    Raises:
        ValueError: an input is missing, altered, or not what the plan says.
    """
    scratch = SCRATCH / job.digest
    with only_one(SCRATCH / f"{job.digest}.lock", str(job.path)):
        if job.marker.exists():
            return
        for source in job.inputs.values():
            check(source)
        out = scratch / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        start = time.monotonic() - earlier_seconds(scratch)
        build(job, out, scratch)
        write_provenance(job, out, time.monotonic() - start)
        if job.path.exists() and any(job.path.iterdir()):  # a report that is replaced
            shutil.rmtree(SCRATCH / "replaced", ignore_errors=True)
            job.path.rename(SCRATCH / "replaced")
        job.path.parent.mkdir(parents=True, exist_ok=True)
        out.rename(job.path)
        shutil.rmtree(scratch)


def check(job: Job) -> dict:
    """Provenance of a published artifact whose files are as they were published.

    Raises:
        ValueError: the artifact is missing, is another job's, or a file of it was altered.
    """
    if not job.marker.exists():
        raise ValueError(f"{job.path}: not made yet; run `snakemake {job.marker}` first")
    provenance = json.loads(job.marker.read_text())
    if provenance["digest"] != job.digest:
        raise ValueError(f"{job.path}: belongs to job {provenance['digest']}, not {job.digest}; delete it and repeat")
    for name, recorded in provenance["files"].items():
        if checksum(job.path / name) != recorded:
            raise ValueError(f"{job.path / name}: altered since it was published; delete {job.path} and repeat")
    return provenance


def write_provenance(job: Job, out: Path, seconds: float) -> None:
    """Write the marker: what was made, from what, by which code, on which machine, at what cost."""
    files = sorted(path for path in out.rglob("*") if path.is_file())
    provenance = {
        "kind": job.kind,
        "name": job.name,
        "digest": job.digest,
        "settings": job.settings,
        "inputs": {role: {"path": str(source.path), "digest": source.digest} for role, source in job.inputs.items()},
        "files": {str(path.relative_to(out)): checksum(path) for path in files},
        "command": f"finefit {job.kind} {job.path}",
        "code": code_version(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in VERSIONS},
        "hardware": hardware(),
        "precision": precision(job),
        "seconds": round(seconds, 2),
        "peak_bytes": peak_bytes(),
    }
    (out / job.marker.name).write_text(json.dumps(provenance, indent=1) + "\n")


def precision(job: Job) -> str | None:
    """What a job's network runs in here, "float32" or "bfloat16"; None of jobs without one."""
    asked = job.inputs.get("run", job).settings.get("train", {}).get("precision")
    if asked is None and job.kind == "denoise":  # of the base by itself
        asked = "auto"
    if asked is None:
        return None
    from finefit.jobs.devices import device_here, uses_bfloat16  # torch, which other jobs need not have

    return "bfloat16" if uses_bfloat16(asked, device_here()) else "float32"


def code_version() -> dict[str, str | bool]:
    """Commit of the working tree, and whether tracked files differ from it; "unknown" outside git."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "unknown", "dirty": True}
