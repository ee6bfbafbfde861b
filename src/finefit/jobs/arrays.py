"""Arrays in .npy files that need not fit in memory: made a batch of rows at a time, gone on with, read in pieces.

Reading is positioned, through no memory map, of which every touched page counts as this process's own.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path
from tokenize import TokenError

import numpy as np

from finefit.jobs import borders
from finefit.jobs.progress import earlier_seconds, keep_seconds, progress
from finefit.jobs.whole import whole

BATCH = 256  # rows made at once
NAMES = "names.json"  # which arrays are made, beside those that are not whole yet
STRETCH = 2**24  # bytes that are read at once though few of their rows are wanted


class OnDisk:
    """An .npy file `[n, ...]` whose rows are read when asked for: `array[start:stop]`, `array[numbers]`, `array[mask]`.

    Raises:
        ValueError: the file is damaged, or shorter than its head says.
    """

    def __init__(self, path: Path):
        self.path = path
        self.shape: tuple[int, ...]
        try:
            self.shape, fortran, self.dtype, self.offset = head(path)
        except (ValueError, EOFError, SyntaxError, TokenError) as error:  # numpy reads a head as Python
            raise ValueError(f"{path}: damaged ({borders.why(error)}); delete {path.parent} and repeat") from None
        self.row_bytes = self.dtype.itemsize * math.prod(self.shape[1:])
        if fortran or path.stat().st_size < self.offset + len(self) * self.row_bytes:
            raise ValueError(f"{path}: damaged (cut off, or in another order); delete {path.parent} and repeat")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Some rows, as an array of their own."""
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self))
            return self.read(start, max(0, stop - start))
        numbers = np.asarray(rows)
        numbers = np.flatnonzero(numbers) if numbers.dtype == bool else numbers
        first, last = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, -1)
        if (last - first + 1) * self.row_bytes <= STRETCH or last - first < len(numbers):
            return self.read(first, last - first + 1)[numbers - first]
        return np.concatenate([self.read(number, 1) for number in numbers.tolist()])

    def read(self, start: int, count: int) -> np.ndarray:
        """So many rows from one on."""
        found = np.empty((count, *self.shape[1:]), self.dtype)
        place, done = memoryview(found.reshape(-1).view(np.uint8)), 0
        with FileIO(self.path) as file:
            file.seek(self.offset + start * self.row_bytes)
            while done < len(place):
                read = file.readinto(place[done:])
                if not read:
                    raise ValueError(f"{self.path}: damaged (too short); delete {self.path.parent} and repeat")
                done += read
        return found


def head(path: Path) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """What an .npy file begins with: shape, whether columns come first, dtype, and the bytes of all that.

    Raises:
        ValueError, EOFError: it is not what numpy writes.
    """
    with open(path, "rb") as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("not of the form that numpy writes")
        return *np.lib.format.read_array_header_1_0(file), file.tell()


class Chosen:
    """Some rows `[k, ...]` of an array, by their numbers, read when asked for."""

    def __init__(self, array: Rows, numbers: np.ndarray):
        self.array, self.numbers = array, numbers
        self.shape: tuple[int, ...] = (len(numbers), *array.shape[1:])

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Some of them, as an array of their own."""
        return self.array[self.numbers[rows]]


Rows = np.ndarray | OnDisk | Chosen  # what is read by slices and by row numbers


def gathered(
    folder: Path, count: int, make: Callable[[slice], dict[str, np.ndarray]], what: str, batch: int = BATCH
) -> dict[str, OnDisk]:
    """Arrays of `count` rows, made a batch at a time; whole batches of an interrupted attempt are not made again.

    Args:
        folder: where a file for each array stands in the end, within a job's scratch folder.
        make: `make(rows)` gives those rows of every array by name.
        what: what they are, for the progress.
        batch: rows at once.
    """
    if not folder.exists():
        partial = folder.with_name(f"{folder.name}.partial")
        partial.mkdir(parents=True, exist_ok=True)
        start = time.monotonic() - earlier_seconds(folder.parent)
        done, total = whole_batches(partial, batch), max(1, -(-count // batch))  # no rows, too, have a width
        for number in progress(range(done, total), what, done):
            made = make(slice(number * batch, min((number + 1) * batch, count)))
            if number == 0:
                with whole(partial / NAMES) as names:
                    names.write_text(json.dumps(sorted(made)))
            for name, values in made.items():
                append(partial / f"{name}.npy", values, count, first=number == 0)
            keep_seconds(folder.parent, time.monotonic() - start)
        partial.rename(folder)
    return {path.stem: OnDisk(path) for path in sorted(folder.glob("*.npy"))}


def append(path: Path, rows: np.ndarray, count: int, first: bool) -> None:
    """Write the next rows of an array of `count` rows; the first ones tell the shape."""
    with open(path, "wb" if first else "ab") as file:
        if first:
            head = np.lib.format.header_data_from_array_1_0(np.ascontiguousarray(rows))
            np.lib.format.write_array_header_1_0(file, head | {"shape": (count, *rows.shape[1:])})
        file.write(np.ascontiguousarray(rows).data)


def whole_batches(partial: Path, batch: int) -> int:
    """How many batches all files of a folder have whole; what lies beyond is cut off."""
    heads = {}
    try:
        for path in [partial / f"{name}.npy" for name in json.loads((partial / NAMES).read_text())]:
            shape, _, dtype, offset = head(path)
            heads[path] = (offset, batch * dtype.itemsize * math.prod(shape[1:]))
    except (ValueError, EOFError, FileNotFoundError):  # cut off within the first batch
        return 0
    whole = min(((path.stat().st_size - offset) // size for path, (offset, size) in heads.items()), default=0)
    for path, (offset, size) in heads.items():
        os.truncate(path, offset + whole * size)
    return whole


def save(array: np.ndarray | OnDisk, path: Path) -> None:
    """Write an array to an .npy file; one that lies in a file already gets a second name where the disk can do that."""
    if not isinstance(array, OnDisk):
        np.save(path, array)
        return
    with suppress(OSError):
        os.link(array.path, path)
        return
    shutil.copyfile(array.path, path)
