"""How fast packs of latents are read, in how much memory: `python -m benchmarks.speed.packs`.

Simulated packs (4 x 32 x 32, both flips, mean and deviation) of growing size are written to a temporary folder and read
in shuffled batches, posterior samples and labels, as training does, by one process with one thread, as jobs compute.

Beside it stands what trainings of diffusion transformers that encode ahead usually do (fast-DiT, and those after it):
a file of features and a file of labels for every picture, written by `np.save` and read by `np.load` when the picture's
turn comes. Here a file of features holds what the pack holds of a picture, in half precision (theirs is single); a
batch becomes tensors and is sampled at once; and no data loader stands around it, whose work per picture is left out.
The same process reads it, the two readers in turns, from the files of at most 20,000 pictures, since more only write
longer.

Everything is in the system's cache: this measures the readers, not the disk. Of several rounds the fastest counts, by
the clock and by the processor's time: where other work shares the cores, the clock counts that too, and the processor's
time is what the work took. Prints a table; --json keeps the numbers.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from finefit.jobs.machine import cores
from finefit.latents import encode
from finefit.latents.encode import SHARD_ROWS
from finefit.latents.pack import Pack

SHAPE, BATCH = (4, 32, 32), 256
ROUNDS = 5
FILES = 20_000  # pictures at most that get files of their own
PACK_SAMPLES, FILE_SAMPLES = 20_480, 2_560  # read in a round
CLASSES = 10_000
TARGET = 500_000  # pictures of iNaturalist 2021 mini


class Simulated:
    """A codec whose latents are random numbers, the same for every batch."""

    def __init__(self) -> None:
        self.mean, self.deviation = torch.randn(2, encode.BATCH, *SHAPE, generator=torch.Generator().manual_seed(0))

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """As many means and deviations as there are images."""
        return self.mean[: len(images)], self.deviation[: len(images)]


def labels_of(count: int) -> np.ndarray:
    """A class for every picture."""
    return np.random.default_rng(0).integers(CLASSES, size=count)


def write_pack(folder: Path, count: int) -> float:
    """Write a simulated pack; seconds."""
    start = time.monotonic()
    encode.pack(folder, lambda first, stop: np.zeros((stop - first, 1, 1, 3), np.uint8), labels_of(count), Simulated())
    return time.monotonic() - start


def write_files(folder: Path, count: int) -> None:
    """Two files per picture: features (both flips' mean and deviation) and label."""
    features = np.random.default_rng(0).standard_normal((2, 2, *SHAPE), np.float32).astype(np.float16)
    for name in ("features", "labels"):
        (folder / name).mkdir(parents=True)
    for number, label in enumerate(labels_of(count)):
        np.save(folder / f"features/{number}.npy", features)
        np.save(folder / f"labels/{number}.npy", label[None])


def batches(count: int, samples: int) -> Iterator[tuple[np.ndarray, np.ndarray, Tensor]]:
    """Shuffled rows, flips and noise: what training hands to the pack."""
    random, noise = np.random.default_rng(1), torch.randn(BATCH, *SHAPE)
    for _ in range(samples // BATCH):
        yield random.integers(count, size=BATCH), random.integers(2, size=BATCH), noise


def read_pack(pack: Pack, samples: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Posterior samples and labels of shuffled rows, in batches."""
    for rows, flips, noise in batches(pack.count, samples):
        yield pack.sample(rows, flips, noise), pack.labels[rows]


def read_files(folder: Path, count: int, samples: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The same from files per picture."""
    for rows, flips, noise in batches(count, samples):
        views, labels = [], []
        for row, flip in zip(rows, flips, strict=True):
            views.append(np.load(f"{folder}/features/{row}.npy")[flip])
            labels.append(np.load(f"{folder}/labels/{row}.npy"))
        mean, deviation = torch.from_numpy(np.stack(views)).float().unbind(1)
        yield deviation.mul_(noise).add_(mean), torch.from_numpy(np.concatenate(labels))


def timed(work: Callable[[], Iterator]) -> tuple[float, float]:
    """Seconds that going through something takes: by the clock, and of the processor."""
    start = time.monotonic(), time.process_time()
    for _ in work():
        pass
    return time.monotonic() - start[0], time.process_time() - start[1]


def resident() -> int:
    """Resident memory of this process in bytes, mapped files included."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(count: int) -> dict:
    """Write, open and read one size."""
    with tempfile.TemporaryDirectory(prefix="packs-") as name:
        pack_folder, files_folder = Path(name) / "pack", Path(name) / "files"
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
        "files": -(-count // SHARD_ROWS) + 2,
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
        for _ in read_pack(pack, PACK_SAMPLES):
            peak = max(peak, resident())
    return peak - before


def hardware() -> dict:
    """The machine in words that name no machine."""
    flags = {"avx2", "avx512f", "f16c", "amx_bf16", "avx512_bf16", "asimd", "fphp"}
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    found = next((line.split(":")[1].split() for line in lines if line.startswith(("flags", "Features"))), [])
    return {
        "cores": cores(),
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
    print(f"\n{TARGET:,} pictures take {gigabytes:.1f} GB in {-(-TARGET // SHARD_ROWS) + 2} files.")
    if options.json:
        options.json.write_text(json.dumps({"hardware": hardware(), "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
