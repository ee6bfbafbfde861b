"""What growth costs: `python -m benchmarks.speed.growth --json benchmarks/results/growth.json`.

- **classes**: the report of a finished study of 10,000 classes, four methods at three seeds, every artifact made up
  (`tests/made_up.py`) as large as such a study's would be.
- **jobs**: a study of 6,008 jobs of which none is done: `finefit plan`, Snakemake's graph, and its dry run, which also
  tells of every job.

Each act is a process of its own, and acts take turns. Told: seconds by the clock and of the processor, the least of all
rounds, which other work on the machine disturbs least, and the most memory that an act's processes held together.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import made_up  # noqa: E402

from finefit.jobs.machine import hardware  # noqa: E402

CLASSES = made_up.Size(classes=10_000, supers=8, side=32, width=1152, bands=10)  # the width of DiT-XL's class table
SEEDS, METHODS = 3, ("full", "bitfit", "difffit", "finediffusion")
MANY_SEEDS, ENTRIES = 10, 100  # of the study of many jobs: a thousand runs, each sampled at two scales
# Acts run this tree's code, and keep compiled bytecode as they do for users.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT["PYTHONPATH"] = str(ROOT / "src")
EVERY = 0.05  # seconds between looks at the memory
FINEFIT, SNAKEMAKE = [sys.executable, "-m", "finefit"], [sys.executable, "-m", "snakemake"]
ACTS = {  # by part
    "classes": {"report": [*FINEFIT, "report", "--study", "study.yaml", "--rebuild"]},
    "jobs": {
        "plan": [*FINEFIT, "plan", "study.yaml"],
        "graph": [*SNAKEMAKE, "--configfile", "study.yaml", "--rulegraph"],
        "dry run": [*SNAKEMAKE, "--configfile", "study.yaml", "--dry-run", "--quiet", "all"],
    },
}


def of_classes() -> dict[str, Any]:
    """A study of 10,000 classes."""
    return made_up.STUDY | {
        "seeds": list(range(SEEDS)),
        "data": {"embedded": {"resolutions": [CLASSES.side], "options": {"classes": CLASSES.classes}}},
        "methods": {name: {} for name in METHODS},
    }


def of_jobs() -> dict[str, Any]:
    """A study of 6,008 jobs."""
    entries = {f"bitfit-{number}": {"method": "bitfit", "lr": 1e-4 * number} for number in range(1, ENTRIES + 1)}
    return {
        "name": "many",
        "seeds": list(range(MANY_SEEDS)),
        "data": {"embedded": {"resolutions": [32]}},
        "codec": {"name": "patch_pca", "weights": "codec-patch-pca-2"},
        "base": {"size": "Mini", "patch": 2, "weights": "base-mini-32"},
        "train": {"steps": 24, "batch_size": 4},
        "methods": entries,
        "sample": {"steps": 2, "per_class": 2, "scale": 1.5, "sweep": {name: [3.0] for name in entries}},
        "evaluate": {"probe_steps": 4, "judges": []},
    }


def measured(command: list[str], folder: Path) -> dict[str, float]:
    """Run a command in a folder; what it took: seconds, and the largest sum of resident bytes of its processes.

    Raises:
        RuntimeError: it fails; what it said is in the message.
    """
    before, start, most = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic(), 0
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=said, stderr=subprocess.STDOUT)
        while process.poll() is None:
            most = max(most, sum(map(resident, tree(process.pid))))
            time.sleep(EVERY)
        took = time.monotonic() - start
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {said.read()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": took, "processor_seconds": spent, "peak_bytes": most}


def tree(process: int) -> Iterable[int]:
    """A process and all that it started, while they run."""
    yield process
    children = Path(f"/proc/{process}/task").glob("*/children")
    try:
        numbers = [int(number) for file in children for number in file.read_text().split()]
    except OSError:  # it has ended
        return
    for number in numbers:
        yield from tree(number)


def resident(process: int) -> int:
    """Bytes that a process holds; 0 of one that has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def in_turns(part: str, folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """A part's acts, the least of each over the rounds; of memory the most."""
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in ACTS[part]}
    for _ in range(rounds):
        for name, command in ACTS[part].items():
            turns[name].append(measured(command, folder))
            print(part, name, {key: round(value, 2) for key, value in turns[name][-1].items()}, flush=True)
    return {
        name: {key: (max if key == "peak_bytes" else min)(turn[key] for turn in taken) for key in taken[0]}
        for name, taken in turns.items()
    }


def projects(root: Path, parts: list[str]) -> Iterable[tuple[str, Path]]:
    """Each part's project, made below `root`."""
    if "classes" in parts:
        with pytest.MonkeyPatch.context() as patch:
            (root / "classes").mkdir()
            for _ in made_up.finished(root / "classes", patch, of_classes(), CLASSES):
                yield "classes", root / "classes"
    if "jobs" in parts:
        folder = root / "jobs"
        folder.mkdir()
        for name in (
            "Snakefile",
            "workflow",
            "profiles",
            "claims.yaml",
            "data/sources.csv",
            "data/rates.csv",
            "data/base",
        ):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).symlink_to(ROOT / name)
        (folder / "study.yaml").write_text(yaml.safe_dump(of_jobs()))
        yield "jobs", folder


def main() -> None:
    """Measure, print, and with --json write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=ACTS, default=list(ACTS))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    file = given.json and given.json.absolute()
    found: dict[str, Any] = {"hardware": hardware(), "rounds": given.rounds}
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        for part, place in projects(Path(folder), given.parts):
            found[part] = in_turns(part, place, given.rounds)
    if file:
        file.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
