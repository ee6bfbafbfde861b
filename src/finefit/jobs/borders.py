"""Borders: where files, what people bring and the machine reach code of others, which may raise anything.

At a border whatever comes out becomes one line about the file. None stands higher up, where it would call our own bugs
somebody's damaged file. docs/faults.md lists them, and tests/test_borders.py holds the list.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finefit.jobs import faults


@contextmanager
def reading(file: Path, what: str, remedy: str = "") -> Iterator[None]:
    """Say what a file is where a library fails at it: `FILE: WHAT (why); REMEDY`.

    What the system refuses, memory that is short and what this project itself says go through as they are: none of that
    is the file's fault.

    Raises:
        ValueError: the library failed.
    """
    try:
        yield
    except Exception as error:  # decoders raise what they like: TypeError, struct.error, RuntimeError, AssertionError
        if isinstance(error, OSError) and error.errno is not None:
            error.filename = error.filename or os.fspath(file)
            raise
        if faults.expected(error):
            raise
        raise ValueError(f"{file}: {what} ({why(error)}){f'; {remedy}' if remedy else ''}") from None


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Name the file where a disk is found full by a library that does not.

    Raises:
        OSError: the disk is full.
    """
    try:
        yield
    except Exception as error:  # torch raises RuntimeError, safetensors its own, numpy OSError
        if not faults.disk_is_full(error):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(file)) from error


def why(error: Exception) -> str:
    """An error's first line, with the next where it announces one, or what it is called; without torch's advice."""
    first, *rest = str(error).splitlines() or [""]
    if first.endswith(":") and rest:
        first = f"{first} {rest[0].strip()}"
    return first.partition(". ")[0] or type(error).__name__
