"""How fast packs of latents are read, in how much memory: `python benchmarks/packs.py`.

Simulated packs (4 x 32 x 32, both flips, mean and deviation) of growing size are written to a temporary folder and read
in shuffled batches, posterior samples drawn, as training does, by one process with one thread, as jobs compute. Beside
it stands one file per picture (both flips, mean and deviation: what `np.save` writes), read by the same process in
turns, of at most 20,000 pictures. Everything is in the system's cache: this measures the reader, not the disk. Of
several rounds the fastest counts, by the clock and by the processor's time: where other work shares the cores, the
clock counts that too, and the processor's time is what the work took. Prints a table; --json keeps the numbers.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from finefit.latents import SHARD_ROWS
from finefit.pack import Pack

SHAPE, BATCH = (4, 32, 32), 256
ROUNDS = 5
FILES = 20_000  # pictures at most that get a file of their own
PACK_SAMPLES, FILE_SAMPLES = 20_480, 2_560  # read in a round
CLASSES = 10_000
TARGET = 500_000  # pictures of iNaturalist 2021 mini


def write_pack(folder: Path, count: int) -> float:
    """Write a simulated pack; seconds. A block of random latents is repeated."""
    random, start = np.random.default_rng(0), time.monotonic()
    block = random.standard_normal((1024, 2, *SHAPE), np.float32).astype(np.float16)
    for number, first in enumerate(range(0, count, SHARD_ROWS)):
        rows = min(SHARD_ROWS, count - first)
        for name in ("mean", "deviation"):
            path = folder / f"{name}-{number:05d}.npy"
            shard = np.lib.format.open_memmap(path, "w+", np.float16, (rows, *block.shape[1:]))
            for begin in range(0, rows, len(block)):
                shard[begin : begin + len(block)] = block[: rows - begin]
    np.save(folder / "labels.npy", random.integers(CLASSES, size=count))
    (folder / "index.json").write_text(json.dumps({"count": count, "shard_rows": SHARD_ROWS}))
    return time.monotonic() - start


def write_files(folder: Path, count: int) -> None:
    """One file per picture: both flips' mean and deviation."""
    latents = np.random.default_rng(0).standard_normal((2, 2, *SHAPE), np.float32).astype(np.float16)
    for number in range(count):
        np.save(folder / f"{number:06d}.npy", latents)


def batches(count: int, samples: int):
    """Shuffled rows, flips and noise: what training hands to the pack."""
    random, noise = np.random.default_rng(1), torch.randn(BATCH, *SHAPE)
    for _ in range(samples // BATCH):
        yield random.integers(count, size=BATCH), random.integers(2, size=BATCH), noise


def read_pack(pack: Pack, samples: int) -> None:
    """Posterior samples of shuffled rows."""
    for rows, flips, noise in batches(pack.count, samples):
        pack.sample(rows, flips, noise)


def read_files(folder: Path, count: int, samples: int) -> None:
    """The same from one file per picture."""
    for rows, flips, noise in batches(count, samples):
        both = np.stack([np.load(folder / f"{row:06d}.npy")[:, flip] for row, flip in zip(rows, flips, strict=True)])
        mean, deviation = torch.from_numpy(both).float().unbind(1)
        mean + noise * deviation


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds that a call takes: by the clock, and of the processor."""
    start = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - start[0], time.process_time() - start[1]


def resident() -> int:
    """Resident memory of this process in bytes, mapped files included."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(count: int) -> dict:
    """Write, open and read one size."""
    with tempfile.TemporaryDirectory(prefix="packs-") as name:
        pack_folder, files_folder = Path(name) / "pack", Path(name) / "files"
        pack_folder.mkdir()
        files_folder.mkdir()
        write_seconds = write_pack(pack_folder, count)
        size = sum(path.stat().st_size for path in pack_folder.iterdir())
        start = time.monotonic()
        pack = Pack(pack_folder)
        open_seconds = time.monotonic() - start
        with multiprocessing.get_context("spawn").Pool(1) as fresh:
            grown = fresh.apply(growth, [pack_folder])
        files = min(count, FILES)
        write_files(files_folder, files)
        readers = [lambda: read_pack(pack, PACK_SAMPLES), lambda: read_files(files_folder, files, FILE_SAMPLES)]
        seconds = np.array([[timed(read) for read in readers] for _ in range(ROUNDS)]).min(0)  # [reader, clock]
        by_clock, by_processor = (np.array([[PACK_SAMPLES], [FILE_SAMPLES]]) / seconds).T
    return {
        "pictures": count,
        "files": 2 * -(-count // SHARD_ROWS) + 2,
        "gigabytes": round(size / 1e9, 2),
        "write_seconds": round(write_seconds, 1),
        "open_milliseconds": round(1000 * open_seconds, 1),
        "resident_growth_megabytes": round(grown / 1e6),
        "pack_samples_per_second": round(by_clock[0]),
        "file_samples_per_second": round(by_clock[1]),
        "pack_samples_per_processor_second": round(by_processor[0]),
        "file_samples_per_processor_second": round(by_processor[1]),
        "times_as_fast": round(by_processor[0] / by_processor[1], 1),
    }


def growth(folder: Path) -> int:
    """By how many bytes a fresh process grows at most from before it opens the pack to the end of reading."""
    before, peak = resident(), 0
    pack = Pack(folder)
    for _ in range(5):
        read_pack(pack, PACK_SAMPLES)
        peak = max(peak, resident())
    return peak - before


def hardware() -> dict:
    """The machine in words that name no machine."""
    flags = {"avx2", "avx512f", "f16c", "amx_bf16", "avx512_bf16", "asimd", "fphp"}
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    found = next((line.split(":")[1].split() for line in lines if line.startswith(("flags", "Features"))), [])
    return {
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[1], 1),
        "flags": sorted(flags & set(found)),
    }


def main() -> None:
    """Measure the sizes asked for, print the table, keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("counts", type=int, nargs="*", default=[10_000, 50_000, 100_000])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = [measure(count) for count in options.counts]
    print(f"| {' | '.join(name.replace('_', ' ') for name in results[0])} |\n|{'---|' * len(results[0])}")
    for row in results:
        print(f"| {' | '.join(map(str, row.values()))} |")
    gigabytes = TARGET * results[-1]["gigabytes"] / results[-1]["pictures"]
    print(f"\n{TARGET:,} pictures take {gigabytes:.1f} GB in {2 * -(-TARGET // SHARD_ROWS) + 2} files.")
    if options.json:
        options.json.write_text(json.dumps({"hardware": hardware(), "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
