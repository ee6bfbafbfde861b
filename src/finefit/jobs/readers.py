"""Reading files that jobs wrote and publishers gave, with a word on what is wrong: one reader for each kind of file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from finefit.jobs import borders

if TYPE_CHECKING:
    import pandas as pd

DAMAGED = "damaged"
SHIPPED = "restore it by `git checkout`"  # of tables of this project
UNPACKED = "delete the unpacked folder below data/raw and repeat"  # of what publishers gave


def again(file: Path) -> str:
    """What to do about a damaged file of an artifact."""
    return f"delete {file.parent} and repeat"


def table(file: Path, remedy: str = "", **options: Any) -> pd.DataFrame:
    """A table as `pandas.read_csv` reads it, or `pandas.read_excel` where it is a spreadsheet.

    Args:
        remedy: what to do about a file that is damaged; its folder is an artifact's where left out.

    Raises:
        ValueError: it cannot be read.
    """
    import pandas as pd  # which commands that only plan need not have waited for

    with borders.reading(file, DAMAGED, remedy or again(file)):
        return pd.read_excel(file, **options) if file.suffix == ".xlsx" else pd.read_csv(file, **options)


def array(file: Path, mapped: bool = False) -> np.ndarray:
    """An .npy file's array; `mapped` reads only what is looked at.

    Raises:
        ValueError: it is damaged.
    """
    with borders.reading(file, DAMAGED, again(file)):
        return np.load(file, mmap_mode="r" if mapped else None)


@contextmanager
def arrays(file: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """The arrays of an .npz file by name, each read when it is asked for.

    Raises:
        ValueError: it is damaged, or lacks one that is asked for.
    """
    with borders.reading(file, DAMAGED, again(file)), np.load(file) as content:
        yield content


def content(file: Path, remedy: str = "") -> Any:
    """What a JSON file holds.

    Args:
        remedy: what to do about a file that is damaged; its folder is an artifact's where left out.

    Raises:
        ValueError: it was cut off or altered.
    """
    with borders.reading(file, DAMAGED, remedy or again(file)):
        return json.loads(file.read_text(encoding="utf-8"))
