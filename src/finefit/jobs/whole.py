"""Files that stand in their place whole or not at all, whenever their writer is killed or the disk is full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finefit.jobs import borders


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """A path beside a file to write to; what is written there takes the file's place at once when the block ends.

    Where the block fails, what stood there before stays. One process at a time writes a file so.

    Raises:
        OSError: the disk is full, also where a library says it otherwise (`borders.writing`).
    """
    partial = file.with_name(f".{file.name}.partial")
    try:
        with borders.writing(file):
            yield partial
    except Exception:
        partial.unlink(missing_ok=True)
        raise
    partial.replace(file)
