"""`finefit doctor`: whether this machine, and the cluster it submits to, can run a study; before days are spent.

Each check gives lines of (verdict, subject, what was found). "fails" ends the command with an error, "note" does not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from finefit.data import sources
from finefit.jobs import faults, locks, store
from finefit.jobs.job import PHASES
from finefit.outlook import forecast, needs
from finefit.study import reading
from finefit.study.plan import Plan

PROFILE = Path("workflow/profiles/slurm/config.yaml")
LOCK = Path("requirements.lock")

Finding = tuple[str, str, str]


def findings(plan: Plan, rows: set[str]) -> Iterator[Finding]:
    """All checks in turn; `rows` names the sources that the study reads."""
    yield from packages()
    yield from checkout()
    yield from gpus()
    yield from slurm(plan)
    yield from disk(plan, rows)
    yield from folders()
    yield from present(rows)


def packages() -> Iterator[Finding]:
    """Installed packages against requirements.lock."""
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    other = []
    for name, wanted in pins:
        try:
            found = version(name).partition("+")[0]
        except PackageNotFoundError:
            found = "missing"
        other += [f"{name} {found} (pinned {wanted})"] if found != wanted else []
    missing = [text for text in other if " missing " in text]
    if missing:
        yield "fails", "packages", f"{', '.join(missing)}; run `make .venv/ready`"
    elif other:
        yield "note", "packages", f"other versions than {LOCK}: {', '.join(other)}"
    else:
        yield "ok", "packages", f"the {len(pins)} of {LOCK}"


def checkout() -> Iterator[Finding]:
    """Whether git tells the version of the code, which provenance records and dvc needs."""
    try:
        asked_git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        yield "note", "git", f"does not run here ({error}): provenance says no commit, and dvc does not work"
        return
    if asked_git.returncode == 0:
        yield "ok", "git", f"commit {asked_git.stdout.strip()}"
    elif remedy := re.search(r"git config --global --add safe\.directory .+", asked_git.stderr):
        yield (
            "note",
            "git",
            f"this checkout is {faults.owner_of(Path())}'s, and git reads no other person's: provenance says no "
            f"commit, and dvc does not work; run `{remedy[0]}`",
        )
    else:
        yield "note", "git", "no repository here: provenance says no commit, and dvc does not work; `snakemake` does"


def gpus() -> Iterator[Finding]:
    """GPUs of this machine, as the driver sees them and as the job was given them."""
    listing = output("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")
    devices = listing.splitlines() if listing else []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not devices:
        yield "note", "GPU", "none here: jobs compute on the CPU, unless a cluster's nodes have some"
    else:
        limited = f"; CUDA_VISIBLE_DEVICES is {visible!r}" if visible is not None else ""
        yield "ok", "GPU", f"{'; '.join(devices)}{limited}"


def slurm(plan: Plan) -> Iterator[Finding]:
    """Partitions, time limits and GPUs of the cluster against what the study's jobs ask for."""
    if shutil.which("sinfo") is None:
        yield "note", "SLURM", "not on this machine; `snakemake` runs here"
        return
    partitions_listed = output("sinfo", "--noheader", "--format=%R|%l|%G|%a")
    if partitions_listed is None:
        yield "note", "SLURM", "installed, but sinfo does not answer: nothing can be submitted"
        return
    if " " in str(Path.cwd()):  # the interpreter's path stands unquoted in what is submitted
        yield "note", "SLURM", f"{Path.cwd()}: Snakemake's jobs fail in a folder with a blank in its path; move it"
    profile = reading.read(PROFILE)[0] or {}
    wanted = (profile.get("default-resources") or {}).get("slurm_partition")
    partitions = {line.split("|")[0]: line.split("|") for line in sorted(partitions_listed.splitlines())}
    if wanted and wanted not in partitions:
        yield "fails", "SLURM", f"{PROFILE} names partition {wanted!r}; there are {', '.join(partitions)}"
    minutes_asked = max(needs.minutes(job, attempt=1) for job in plan.jobs)
    for name, limit, resources, state in partitions.values() if not wanted else [partitions.get(wanted, [""] * 4)]:
        short = minutes(limit) < minutes_asked
        advice = f", the longest job asks for {minutes_asked} min: set `set-resources` in {PROFILE}" if short else ""
        yield (
            "note" if short or "gpu" not in resources else "ok",
            f"partition {name}",
            (f"{state}, time limit {limit}{advice}, GPUs {resources if 'gpu' in resources else 'none'}"),
        )


def minutes(limit: str) -> float:
    """SLURM's `[days-]hours:minutes:seconds` or "infinite" in minutes."""
    if not (parts := re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit)):
        return float("inf")
    days, hours, mins, seconds = (int(part or 0) for part in parts.groups())
    return days * 1440 + hours * 60 + mins + seconds / 60


def disk(plan: Plan, rows: set[str]) -> Iterator[Finding]:
    """What the study adds against what is free."""
    try:
        yield "ok", "disk", forecast.check_disk(plan, rows).removeprefix("Disk: ")
    except ValueError as error:
        yield "fails", "disk", str(error).removeprefix("Disk: ")


def folders() -> Iterator[Finding]:
    """Whether a job can do in scratch/ and in every artifact folder what it does there: lock, write, publish."""
    for folder in dict.fromkeys(Path(folder) for _, folder in PHASES.values()):
        here = store.SCRATCH / f"doctor-{os.getpid()}"
        target = folder / f".doctor-{os.getpid()}"
        try:
            store.SCRATCH.mkdir(exist_ok=True)
            with locks.claimed(here.with_suffix(".lock")):
                here.mkdir()
                (here / "file").write_bytes(b"written")
                store.publish(here, target)
        except OSError as error:
            yield "fails", str(folder), faults.line(error)
        else:
            away = folder.stat().st_dev != store.SCRATCH.stat().st_dev
            copied = "; on another disk than scratch, so artifacts are copied" if away else ""
            yield "ok", str(folder), f"jobs can publish from {store.SCRATCH.resolve()}{copied}"
        finally:
            for left in (here, target):
                shutil.rmtree(left, ignore_errors=True)
            with suppress(OSError):
                here.with_suffix(".lock").unlink()
        if others := foreign(folder):
            yield "note", str(folder), f"{others[0]} and {len(others) - 1} more belong to other users"


def foreign(folder: Path) -> list[Path]:
    """What another user owns among a folder's artifacts."""
    found = [folder, *folder.glob("*"), *folder.glob("*/*")] if folder.exists() else []
    return [path for path in found if path.lstat().st_uid != os.getuid()]


def present(rows: set[str]) -> Iterator[Finding]:
    """Archives and weights that the study reads, and the mirror they may come from."""
    missing = [row for row in sorted(rows) if not sources.find(row).place.exists()]
    here = f"{len(rows) - len(missing)} of {len(rows)} here"
    advice = f"; missing {', '.join(missing)}: run `finefit fetch` where there is internet" if missing else ""
    yield "fails" if missing else "ok", "sources", here + advice
    if mirror := os.environ.get("FINEFIT_MIRROR"):
        known = Path(mirror).is_dir() or mirror.startswith("http")
        yield "ok" if known else "fails", "mirror", mirror if known else f"{mirror}: no such folder"


def missing(rows: set[str]) -> Iterator[str]:
    """How each source that is not here is got, and its terms."""
    for source in (sources.find(row) for row in sorted(rows)):
        if not source.place.exists():
            how = f"by hand: {source.by_hand}" if source.by_hand else f"run `finefit fetch {source.name}`"
            yield f"{source.name}: not here; {how} (licence: {source.licence}; {source.terms})"


def output(*command: str) -> str | None:
    """What a program of the system says, None if it is missing or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
