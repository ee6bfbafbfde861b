"""What a large folder of own photographs costs before anything is computed on it: `python -m benchmarks.speed.listing`.

A folder of up to 10,000 classes of 50 pictures, `superclass/class/picture.jpg`, is made in a temporary project (the
pictures are a few small ones under many names, by hard links), a study on it is written and planned, its index made,
and both planned and checked again, each by the command that a user gives, in a process of its own. Told: seconds by
the clock and of the processor, the largest resident memory, and how many pictures were opened, as the interpreter's own
audit counts them: by the first command all, for what identifies them, and once more when the index is made. Opening a
photograph of usual size takes longer than one of these. Names and bytes are in the system's cache: they have just been
written. Prints a table; --json keeps the numbers.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from finefit.jobs.machine import cores

ROOT = Path(__file__).parents[2]
PER_CLASS, CLASSES_PER_SUPERCLASS = 50, 100
SIZE = (32, 24)  # pixels of a picture
STUDY = Path("photographs.yaml")
COMMANDS = {  # in this order
    "new": ["new", "photographs"],
    "plan": ["plan", str(STUDY)],
    "plan again": ["plan", str(STUDY)],
    "make the index": ["data", "{index}", "--study", str(STUDY)],
    "plan, index made": ["plan", str(STUDY)],
    "check, index made": ["data", "check", "photographs", "--study", str(STUDY)],
}


def write_project(count: int) -> None:
    """A project in the working directory with as many pictures, of one file for each superclass."""
    Path("data").mkdir()
    for name in ("sources.csv", "rates.csv", "base"):
        Path("data", name).symlink_to(ROOT / "data" / name)
    random = np.random.default_rng(0)
    for number in range(count // PER_CLASS):
        folder = Path(f"photographs/{number // CLASSES_PER_SUPERCLASS:03d}/{number:05d}")
        if number % CLASSES_PER_SUPERCLASS == 0:
            original = Path(f"{folder.parent.name}.jpg")
            Image.fromarray(random.integers(256, size=(*SIZE, 3), dtype=np.uint8)).save(original)
        folder.mkdir(parents=True)
        for place in range(PER_CLASS):
            os.link(original, folder / f"{place:02d}.jpg")


def run(arguments: list[str]) -> dict:
    """Run a finefit command in this process, which has done nothing else; what it took."""
    opened = 0

    def listen(event: str, details: tuple) -> None:
        nonlocal opened
        opened += event == "open" and str(details[0]).endswith(".jpg")

    sys.addaudithook(listen)
    start = time.monotonic(), time.process_time()
    from finefit.commands.app import app

    sys.argv = ["finefit", *arguments]
    with contextlib.redirect_stdout(io.StringIO()):
        app(standalone_mode=False)
    status = Path("/proc/self/status").read_text()
    return {
        "seconds": round(time.monotonic() - start[0], 1),
        "processor_seconds": round(time.process_time() - start[1], 1),
        "peak_megabytes": round(int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1000),
        "pictures_opened": opened,
    }


def index_path() -> str:
    """Where the index of the study's folder will stand."""
    from finefit.commands import plan_of

    return str(plan_of(STUDY).kind("data")[0].path)


def fresh(function: Callable, *arguments):
    """Call a function in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def measure(count: int) -> list[dict]:
    """Every command on a folder of `count` pictures."""
    with tempfile.TemporaryDirectory(prefix="listing-") as name, contextlib.chdir(name):
        write_project(count)
        rows = []
        for title, words in COMMANDS.items():
            index = fresh(index_path) if "{index}" in words else ""
            took = fresh(run, [word.format(index=index) for word in words])
            rows.append({"pictures": count, "classes": count // PER_CLASS, "command": title} | took)
        return rows


def main() -> None:
    """Measure the sizes asked for, print the table, keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("counts", type=int, nargs="*", default=[10_000, 50_000, 100_000, 500_000])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    for count in options.counts:
        for row in measure(count):
            if not results:
                print(f"| {' | '.join(name.replace('_', ' ') for name in row)} |\n|{'---|' * len(row)}")
            print(f"| {' | '.join(map(str, row.values()))} |", flush=True)
            results.append(row)
    if options.json:
        options.json.write_text(json.dumps({"cores": cores(), "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
