"""Kill jobs, exports and engines at random moments (SIGKILL), fill disks, and see that all ends in the same bytes.

`python -m benchmarks.robustness.kills [SEED [KILLS [FULL [ENGINES [MINUTES]]]]]` works in a throw-away clone with a
study of one method and few steps, computed once. Then, so often and in any order, something that it made is deleted: a
job's artifact or an export. It is started in a process of its own, killed at a random moment, and started again to its
end. FULL times a folder that is written to (scratch/, the artifact's, the export's) is a small disk of random size
(which root alone may mount) in place of a kill: it ends whole or with a line that names that folder, and goes on once
there is room. ENGINES times Snakemake is killed while it makes four kinds again, alone or with its jobs. What takes
long is chosen less often. After MINUTES it ends, with the counts so far.

Processes are forked from this one, which has imported everything, so that a round costs what its job costs. Training
keeps a state at every step. Pages are made without a kernel, but for one report in `WITH_KERNEL`: what is killed is
their making and publishing. Of reports the tables are compared, as pages tell of clocks.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is there: a process whose pool of threads stands is not to be forked

import small as small_study
from clones import Clone, clone_here

from finefit.commands.jobs import builder
from finefit.data import sources
from finefit.deltas.published import export_run
from finefit.export import diffusers_folder, pictures
from finefit.jobs import faults, store
from finefit.jobs.checksums import checksum
from finefit.jobs.job import PHASES, Job
from finefit.report import site
from finefit.sampling import grid
from finefit.study.plan import Plan
from finefit.study.reading import load
from finefit.training import train

LONGER = 1.1  # times what the job took undisturbed: some kills come when it is just published
FAILED = 3  # exit code of a job that ended in one line
WITH_KERNEL = 40
EXPORTS = Path("exports")
TOLD_OF_CLOCKS = {"README.md"}  # a card's date


@dataclass(frozen=True)
class Made:
    """Something that is made whole or not at all: how, where, and the folder that holds it."""

    name: str
    kind: str
    make: Callable[[], None]
    place: Path
    folder: Path


def start(made: Made, log: Path) -> int:
    """Make it in a process of its own; gives its id."""
    child = os.fork()
    if child:
        return child
    with open(log, "w", encoding="utf-8") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        sys.stdout = sys.stderr = said
        code = 0
        try:
            made.make()
        except BaseException as error:
            print(faults.line(error))
            code = FAILED
        said.flush()
        os._exit(code)


def finish(made: Made, log: Path) -> None:
    """Make it to its end.

    Raises:
        RuntimeError: it failed.
    """
    _, status = os.waitpid(start(made, log), 0)
    if status:
        raise RuntimeError(f"{made.name}: {log.read_text()}")


def killed(made: Made, seconds: float, log: Path) -> str:
    """Start it and kill it after so many seconds; what was found then."""
    child = start(made, log)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "whole" if made.place.exists() else "nothing yet"


def starved(made: Made, small: Path, room: int, log: Path) -> str:
    """Make it where `small`, a folder that it writes to, is a disk with so many kB; how it ended. Then it has room."""
    disk, before = Path("small-disk").absolute(), small.with_name(f"{small.name}-before")
    content = sum(file.stat().st_size + 4096 for file in small.rglob("*"))
    size = content // 1000 + room
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", str(disk)], check=True)
    try:
        shutil.copytree(small, disk, symlinks=True, dirs_exist_ok=True)
        subprocess.run(["mount", "-o", f"remount,size={size}k", str(disk)], check=True)
        small.rename(before)
        small.symlink_to(disk)
        try:
            _, status = os.waitpid(start(made, log), 0)
            last = (log.read_text().splitlines() or [""])[-1]
            named = last.startswith(str(small.absolute())) and "its disk is full" in last
            if os.waitstatus_to_exitcode(status) not in (0, FAILED) or (status and not named):
                raise RuntimeError(f"{made.name}, {small} with {room} kB: status {status}: {last}")
            subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
            finish(made, log)
        finally:
            small.unlink()
            before.rename(small)
        if made.place.is_relative_to(small):
            remove(made.place)
            made.place.parent.mkdir(parents=True, exist_ok=True)
            there = disk / made.place.relative_to(small)
            (shutil.copytree if there.is_dir() else shutil.copy2)(there, made.place)
        return "disk full" if status else "had room"
    finally:
        subprocess.run(["umount", str(disk)], check=True)
        disk.rmdir()


def remove(place: Path) -> None:
    """Delete a file or a folder."""
    shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)


def of_job(job: Job) -> Made:
    """A job's artifact; the marker tells that it is published."""

    def make() -> None:
        if job.kind == "report" and random.Random(time.monotonic_ns()).randrange(WITH_KERNEL):
            site.execute = small_study.without_kernel
        store.produce(job, builder(job.kind))

    return Made(str(job.path), job.kind, make, job.path, Path(PHASES[job.kind][1]))


def exports(plan: Plan) -> list[Made]:
    """What the commands for other programs write, into `EXPORTS`."""
    (run,) = plan.kind("finetune")
    EXPORTS.mkdir(exist_ok=True)
    makers: dict[str, Callable[[Path], object]] = {
        "a.safetensors": lambda place: export_run(run, place),
        "a.pt": lambda place: export_run(run, place),
        "pipeline": lambda place: diffusers_folder.export(plan, run, place),
        "pictures": lambda place: pictures.fill(plan, run, place, per_class=2),
        "grid.png": lambda place: grid.of_method(
            plan, "bitfit", grid.classes_of(plan, run)["class_name"][:2].tolist(), 1, 0, place
        ),
    }

    def made(name: str, write: Callable[[Path], object]) -> Made:
        place = EXPORTS / name

        def make() -> None:
            if name == "pictures" or not place.exists():
                write(place)

        return Made(str(place), "export", make, place, EXPORTS)

    return [made(name, write) for name, write in makers.items()]


def engine(clone: Clone, plan: Plan, chance: random.Random) -> str:
    """Kill Snakemake, alone or with its jobs, at a random moment of making four kinds again; then let it end."""
    kinds = ("hierarchy", "finetune", "sample", "evaluate")
    for job in (job for kind in kinds for job in plan.kind(kind)):
        remove(job.path)
    command = ("snakemake", "--cores", "1", *(str(job.marker) for kind in kinds for job in plan.kind(kind)))
    running = clone.start(*command)
    time.sleep(chance.uniform(3, 60))
    whole = chance.random() < 0.5
    (os.killpg if whole else os.kill)(running.pid, signal.SIGKILL)
    running.communicate() if whole else running.wait()
    clone(*command)
    return f"engine killed {'with its jobs' if whole else 'alone'}"


def bytes_of(place: Path) -> dict[str, str]:
    """Checksums of what was made; what tells of clocks is only there."""
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    report = place.is_relative_to("reports")
    return {
        str(path): "there" if report and path.name != "metrics.json" else checksum(path)
        for path in files
        if not path.name.startswith("provenance") and path.name not in TOLD_OF_CLOCKS and ".locks" not in path.parts
    }


def main(seed: int = 0, kills: int = 20, full: int = 0, engine_kills: int = 0, minutes: int = 600) -> None:
    """Disturb so many and compare every file with the undisturbed one."""
    chance, end = random.Random(seed), time.monotonic() + 60 * minutes
    train.SECONDS_BETWEEN_STATES, train.SHARE_FOR_STATES = 0.0, 1.0
    with tempfile.TemporaryDirectory() as folder:
        clone, log = clone_here(Path(folder)), Path(folder) / "log"
        os.chdir(clone.root)
        study = Path("params.yaml")
        study.write_text(small_study.study(), encoding="utf-8")
        sources.table.cache_clear()
        plan = Plan(load(study))
        for job in plan.jobs:
            builder(job.kind)  # imported once, before any job has its process
        version = store.code_version()
        store.code_version = lambda: version  # two processes of git for every job
        everything = [of_job(job) for job in plan.jobs]
        with (
            open(log, "w", encoding="utf-8") as said,
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            executed, site.execute = site.execute, small_study.without_kernel
            for made in everything + (others := exports(plan)):
                made.make()  # here, so that all is imported that it needs
            site.execute = executed
        whole = {made.name: bytes_of(made.place) for made in everything + others}
        seconds = {}
        for made in everything + others:
            remove(made.place)
            began = time.monotonic()
            finish(made, log)
            seconds[made.name] = time.monotonic() - began
            if here := different(whole[made.name], bytes_of(made.place)):
                sys.exit(f"undisturbed: {sorted(here)}")
        print({name: round(took, 2) for name, took in seconds.items()}, flush=True)
        rounds = ["kill"] * kills + ["disk"] * full + ["engine"] * engine_kills
        chance.shuffle(rounds)
        typical = median(seconds.values())
        shares = [min(1.0, typical / seconds[made.name]) for made in everything + others]  # of time, not of rounds
        counts: Counter[str] = Counter()
        differing: set[str] = set()
        for number, how in enumerate(rounds, start=1):
            if time.monotonic() < end:
                if how == "engine":
                    found = engine(clone, plan, chance)
                    here = {name for made in everything for name in different(whole[made.name], bytes_of(made.place))}
                else:
                    (made,) = chance.choices(everything + others, shares)
                    found = disturbed(made, how, seconds[made.name], chance, log)
                    here = different(whole[made.name], bytes_of(made.place))
                counts[found] += 1
                differing |= here
                print(f"seed {seed}, {number}: {found}; {len(here)} files differ", *sorted(here), flush=True)
        differing |= {
            name for made in everything + others for name in different(whole[made.name], bytes_of(made.place))
        }
        for what, count in sorted(counts.items()):
            print(f"{count:5d}  {what}")
        files = sum(map(len, whole.values()))
        print(f"{counts.total()} of {len(rounds)} rounds: {len(differing)} of {files} files differ", *sorted(differing))
        print(clone("finefit", "verify").strip())


def disturbed(made: Made, how: str, seconds: float, chance: random.Random, log: Path) -> str:
    """Delete what was made, start it, kill it or let its disk be full, and make it to its end; what happened."""
    content = sum(path.stat().st_size for path in [made.place, *made.place.rglob("*")] if path.is_file())
    remove(made.place)
    if how == "kill":
        found = f"{made.kind} killed: {killed(made, chance.random() * LONGER * seconds, log)}"
    else:
        small = made.folder if made.kind == "export" else chance.choice([store.SCRATCH, made.folder])
        what = {store.SCRATCH: "scratch", EXPORTS: "exports"}.get(small, "artifacts")
        found = f"disk of {what}: {starved(made, small, chance.randint(8, 8 + 3 * content // 1000), log)}"
    finish(made, log)
    return found


def different(before: dict[str, str], now: dict[str, str]) -> set[str]:
    """Files whose bytes are not the undisturbed one's."""
    return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
