"""Where the program `finefit` begins; its commands are in `finefit.commands`.

They are imported only after a look for a warm process that makes a job in this one's place (`finefit.jobs.warm`).
"""

from __future__ import annotations

import ctypes
import os
import sys

from finefit.jobs import faults, stopping, warm

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as malloc.h numbers them


def one_thread() -> None:
    """Compute with one thread: jobs fill the cores side by side, and sums have one order, so bytes repeat."""
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def keep_freed_memory() -> None:
    """Have glibc use freed blocks again instead of giving them back, which costs a page fault for every 4 kB anew.

    Of sampling on a CPU those faults were a sixth of the time.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_MMAP_THRESHOLD, 2**25)  # the most that it takes


def main() -> None:
    """Run the command line; errors end in one line (see `jobs.faults`) and exit code 1, jobs told to stop with 75."""
    if (code := warm.handed_over(sys.argv)) is not None:
        sys.exit(code)
    one_thread()
    keep_freed_memory()
    if sys.argv[1:2] == ["warm"]:  # what `warm.start` asks for; no command for people
        from finefit.commands.jobs import prepare

        return warm.serve(int(sys.argv[2]), prepare, main)
    try:
        from finefit.commands.app import app

        app()
    except stopping.ToBeContinued:
        print("finefit: told to stop, to be continued: the same command goes on from here", file=sys.stderr)
        sys.exit(stopping.EXIT_CODE)
    except Exception as error:
        sys.exit(f"finefit: {faults.line(error)}")
