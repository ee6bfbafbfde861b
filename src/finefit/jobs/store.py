"""Publishing artifacts: worked on in scratch, made visible by one rename, described by their provenance.

A killed job finds its scratch folder again; a half-written artifact cannot be seen; two processes that want the same
artifact make it once. A failed job leaves its reason beside its state, and the next attempt takes it away.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from finefit.jobs import faults, modes, parts, progress, readers, stopping
from finefit.jobs.checksums import checksum
from finefit.jobs.job import Job
from finefit.jobs.locks import only_one
from finefit.jobs.machine import gpu_peak_bytes, hardware, peak_bytes

SCRATCH = Path("scratch")
FAILED = "failed.txt"  # in a job's scratch folder: why it failed when it was last tried
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
            print(f"{job.path}: stands; {made_again(job)}", flush=True)
            return
        (scratch / FAILED).unlink(missing_ok=True)
        try:
            make(job, build, scratch)
        except stopping.ToBeContinued:
            raise
        except Exception as error:
            note_failure(scratch, error)
            raise


def made_again(job: Job) -> str:
    """How an artifact that stands is made again: no engine's force does it, as another run may be reading it."""
    return (
        "`finefit report --rebuild` makes it again" if job.kind == "report" else "delete that folder to make it again"
    )


def make(job: Job, build: Callable[[Job, Path, Path], None], scratch: Path) -> None:
    """Make a job's artifact in its scratch folder and publish it; see `produce`."""
    for source in job.inputs.values():
        check(source)
    out = scratch / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    progress.tell_in(scratch)
    start = time.monotonic() - progress.earlier_seconds(scratch)
    build(job, out, scratch)
    write_provenance(job, out, time.monotonic() - start)
    modes.by_umask(out)
    publish(out, job.path)
    shutil.rmtree(scratch)


def publish(out: Path, target: Path) -> None:
    """Let a finished folder appear at `target` at once, in place of a report that stands there.

    A folder on another disk, as where scratch is a link, is copied beside the target first.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial, replaced = (target.with_name(f".{target.name}.{word}") for word in ("partial", "replaced"))
    for left in (partial, replaced):
        shutil.rmtree(left, ignore_errors=True)
    if out.stat().st_dev != target.parent.stat().st_dev:
        shutil.copytree(out, partial)
        out = partial
    if target.exists() and any(target.iterdir()):
        target.rename(replaced)
    out.rename(target)
    shutil.rmtree(replaced, ignore_errors=True)


def note_failure(scratch: Path, error: Exception) -> None:
    """Keep why a job failed, for the report; a disk that is full may not even take that."""
    with suppress(OSError):
        scratch.mkdir(parents=True, exist_ok=True)
        (scratch / FAILED).write_text(faults.line(error) + "\n", encoding="utf-8")


def failure(job: Job) -> str:
    """Why a job failed when it was last tried, in a line; empty where it did not, or is tried again now."""
    file = SCRATCH / job.digest / FAILED
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""


def check(job: Job) -> dict:
    """Provenance of a published artifact whose files are as they were published.

    Raises:
        ValueError: the artifact is missing, is another job's, or a file of it was altered.
    """
    require(job)
    provenance = readers.content(job.marker)
    if provenance["digest"] != job.digest:
        raise ValueError(f"{job.path}: belongs to job {provenance['digest']}, not {job.digest}; delete it and repeat")
    for name, recorded in provenance["files"].items():
        if not (job.path / name).exists():
            raise ValueError(f"{job.path / name}: missing since it was published; delete {job.path} and repeat")
        if checksum(job.path / name) != recorded:
            raise ValueError(f"{job.path / name}: altered since it was published; delete {job.path} and repeat")
    return provenance


def require(job: Job) -> None:
    """Raise ValueError where a job's artifact is not published."""
    if not job.marker.exists():
        raise ValueError(f"{job.path}: not made yet; run `snakemake {job.marker}` first")


def write_provenance(job: Job, out: Path, seconds: float) -> None:
    """Write the marker: what was made, from what, by which code, on which machine, at what cost."""
    files = sorted(path for path in out.rglob("*") if path.is_file())
    provenance = {
        "kind": job.kind,
        "name": job.name,
        "digest": job.digest,
        "settings": job.settings,
        **({"given": job.given} if job.given else {}),
        "inputs": {role: {"path": str(source.path), "digest": source.digest} for role, source in job.inputs.items()},
        "files": {str(path.relative_to(out)): checksum(path) for path in files},
        "command": f"finefit {job.kind} {job.path}",
        "code": code_version(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in VERSIONS},
        "hardware": hardware(),
        "precision": precision(job),
        "seconds": round(seconds, 2),
        "peak_bytes": peak_bytes(),
        "gpu_peak_bytes": gpu_peak_bytes(),
        "parts": parts.spent(),
    }
    (out / job.marker.name).write_text(json.dumps(provenance, indent=1) + "\n")


def precision(job: Job) -> str | None:
    """What a job's network runs in here, "float32" or "bfloat16"; None of jobs without one."""
    wanted = job.inputs.get("run", job).settings.get("train", {}).get("precision")
    if wanted is None and job.kind in ("denoise", "source"):  # of the base by itself
        wanted = "auto"
    if wanted is None:
        return None
    from finefit.jobs.devices import device_here, uses_bfloat16  # torch, which other jobs need not have

    return "bfloat16" if uses_bfloat16(wanted, device_here()) else "float32"


def code_version() -> dict[str, str | bool]:
    """Commit of the working tree, and whether tracked files differ from it; "unknown" outside git."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "unknown", "dirty": True}
