"""The command line: one command per kind of job, and others that look at a study, its data, networks and pictures.

`finefit finetune runs/embedded-32/full-s0-1a2b3c4d` makes that artifact unless it stands there already. Snakemake and
dvc call these commands and nothing else.
"""

from __future__ import annotations

import ctypes
import os
import sys

import typer

from finefit.commands import data, jobs, networks, pictures, rehearse, reports, study, unets  # noqa: F401 (data adds its commands to jobs' group)
from finefit.jobs import faults, stopping

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as malloc.h numbers them

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
for part in (jobs, reports, study, rehearse, networks, pictures, unets):
    app.add_typer(part.app)


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
    one_thread()
    keep_freed_memory()
    try:
        app()
    except stopping.ToBeContinued:
        print("finefit: told to stop, to be continued: the same command goes on from here", file=sys.stderr)
        sys.exit(stopping.EXIT_CODE)
    except Exception as error:
        sys.exit(f"finefit: {faults.line(error)}")
