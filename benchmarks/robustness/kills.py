"""Kill jobs at random moments (SIGKILL), and fill their disk, and see that every artifact ends in the same bytes.

`python -m benchmarks.robustness.kills [SEED [KILLS [FULL]]]` works in a throw-away clone. It computes the smoke study
once. Then, so often, a random job's artifact is deleted, the job started in a process of its own and killed at a random
moment, and started again to its end. For FULL further jobs scratch/ is a link to a small tmpfs of random size (which
root alone may mount): the job ends whole or with a line that names the disk, and goes on once there is room. Left out
are reports, whose bytes tell of clocks, and engines, which tests kill.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from clones import Clone, clone_here

from finefit import cli
from finefit.commands.jobs import builder
from finefit.jobs import faults, store
from finefit.jobs.job import Job
from finefit.study.plan import Plan
from finefit.study.reading import load

LONGER = 1.1  # times what the job took undisturbed: some kills come when it is just published
FAILED = 3  # exit code of a job that ended in one line


def start(job: Job, log: Path) -> int:
    """Make a job's artifact in a process of its own; gives its id."""
    child = os.fork()
    if child:
        return child
    with open(log, "w", encoding="utf-8") as said:
        sys.stdout = sys.stderr = said
        code = 0
        try:
            store.produce(job, builder(job.kind))
        except BaseException as error:
            print(faults.line(error))
            code = FAILED
        said.flush()
        os._exit(code)


def finish(job: Job, log: Path) -> None:
    """Make a job's artifact to its end.

    Raises:
        RuntimeError: it failed.
    """
    _, status = os.waitpid(start(job, log), 0)
    if status:
        raise RuntimeError(f"{job.path}: {log.read_text()}")


def killed(job: Job, seconds: float, log: Path) -> str:
    """Start a job and kill it after so many seconds; what was found then."""
    child = start(job, log)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    scratch = store.SCRATCH / job.digest
    return "published" if job.marker.exists() else f"left {sorted(p.name for p in scratch.glob('*'))}"


def starved(job: Job, kilobytes: int, log: Path) -> str:
    """Start a job whose scratch is a disk of so many kilobytes; how it ended. Then it has room."""
    disk = Path("small-disk").absolute()
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(disk)], check=True)
    store.SCRATCH.rename("scratch-before")
    store.SCRATCH.symlink_to(disk)
    try:
        _, status = os.waitpid(start(job, log), 0)
        last = (log.read_text().splitlines() or [""])[-1]
        if os.waitstatus_to_exitcode(status) not in (0, FAILED) or (status and "its disk is full" not in last):
            raise RuntimeError(f"{job.path} on {kilobytes} kB: status {status}: {last}")
        subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
        finish(job, log)
        return "disk full" if status else "had room"
    finally:
        store.SCRATCH.unlink()
        Path("scratch-before").rename(store.SCRATCH)
        subprocess.run(["umount", str(disk)], check=True)
        disk.rmdir()


def main(seed: int = 0, kills: int = 20, full: int = 0) -> None:
    """Disturb so many jobs and compare every artifact with the undisturbed one."""
    chance = random.Random(seed)
    cli.one_thread()
    with tempfile.TemporaryDirectory() as folder:
        clone, log = clone_here(Path(folder)), Path(folder) / "log"
        os.chdir(clone.root)
        jobs = [job for job in Plan(load(Path("params.yaml"))).jobs if job.kind != "report"]
        for job in jobs:
            builder(job.kind)  # imported once, before any job has its process
        seconds = {}
        for job in jobs:
            began = time.monotonic()
            finish(job, log)
            seconds[job] = time.monotonic() - began
        files = clone.files()
        kinds = sorted({job.kind for job in jobs})
        for number in range(1, kills + full + 1):
            kind = chance.choice(kinds)
            job = chance.choice([job for job in jobs if job.kind == kind])
            content = sum(file.stat().st_size for file in job.path.rglob("*") if file.is_file())
            shutil.rmtree(job.path)
            if number <= kills:
                moment = chance.random() * LONGER
                found = f"killed {moment:.2f} of the way: {killed(job, moment * seconds[job], log)}"
            else:
                size = chance.randint(8, 8 + 4 * content // 1000)
                found = f"a disk of {size} kB: {starved(job, size, log)}"
            finish(job, log)
            here = different(clone, files)
            print(f"seed {seed}, {number}: {job.path} {found}; {len(here)} files differ", flush=True)
            if here:
                sys.exit(f"{sorted(here)}")
        print(f"{kills} kills and {full} full disks: 0 of {len(files)} files differ from the undisturbed study's")
        print(clone("finefit", "verify").strip())


def different(clone: Clone, files: dict[str, str]) -> set[str]:
    """Files of artifacts whose bytes are not the undisturbed study's."""
    now = clone.files()
    return {name for name in files.keys() | now.keys() if files.get(name) != now.get(name)}


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
