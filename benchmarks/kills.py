"""Kill the smoke study at random moments (SIGKILL, engine and jobs together) and see that it ends in the same bytes.

`python benchmarks/kills.py [SEED [KILLS]]` works in a throw-away clone: it computes the study once, then deletes one
artifact of a random job, runs Snakemake, and kills it at a random moment of that job; so often, and at last to the end.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from clones import Clone, clone_here

from finefit.jobs.job import Job
from finefit.study.plan import Plan
from finefit.study.reading import load

LONGER = 1.0  # second beyond what the job took undisturbed: some kills come when it is just published


def kill(clone: Clone, job: Job, moment: float) -> str:
    """Delete a job's artifact, start the study, and kill it `moment` (0 to 1) through that job; what was found then."""
    seconds = json.loads((clone.root / job.marker).read_text())["seconds"] if (clone.root / job.marker).exists() else 1
    shutil.rmtree(clone.root / job.path, ignore_errors=True)
    study = clone.start("snakemake", stdout=subprocess.DEVNULL)
    scratch = clone.root / "scratch" / job.digest
    while study.poll() is None and not scratch.exists() and not (clone.root / job.marker).exists():
        time.sleep(0.01)
    time.sleep(moment * (LONGER + seconds))
    if study.poll() is None:
        os.killpg(study.pid, signal.SIGKILL)
    study.wait()
    return "published" if (clone.root / job.marker).exists() else f"left {sorted(p.name for p in scratch.glob('*'))}"


def main(seed: int = 0, kills: int = 20) -> None:
    """Kill so often, complete the study and compare."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        clone = clone_here(Path(folder))
        clone("snakemake")
        files = clone.files()
        jobs = Plan(load(clone.root / "params.yaml")).jobs
        for number in range(1, kills + 1):
            kind, moment = chance.choice(sorted({job.kind for job in jobs})), chance.random()
            job = chance.choice([job for job in jobs if job.kind == kind])
            found = kill(clone, job, moment)
            print(f"seed {seed}, kill {number}: {job.path} {moment:.2f} of the way: {found}", flush=True)
        clone("snakemake")
        now = clone.files()
        different = {name for name in files.keys() | now.keys() if files.get(name) != now.get(name)}
        print(f"{len(files)} files, {len(different)} differ from the undisturbed study's {sorted(different)}")
        print(clone("finefit", "verify").strip())
    sys.exit(bool(different))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
