"""What readers of published archives share: finding a folder in what was unpacked, list files, pictures by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finefit.data.archives import is_content
from finefit.data.pictures import read_files


def only(root: Path, pattern: str) -> Path:
    """The one file or folder below `root` that a glob pattern names.

    Raises:
        ValueError: there is none, or there are several.
    """
    found = sorted(path for path in root.glob(pattern) if is_content(path.relative_to(root).as_posix()))
    if len(found) != 1:
        raise ValueError(f"{root}: expected one {pattern}, found {len(found)}; delete the folder and repeat")
    return found[0]


def words(path: Path, columns: list[str], separator: str = " ") -> pd.DataFrame:
    """A list file: one row per line, its words under the names `columns`; the last one takes the rest of the line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [[word.strip() for word in line.split(separator, len(columns) - 1)] for line in lines if line.strip()]
    return pd.DataFrame(rows, columns=columns)


def matlab(path: Path) -> dict[str, Any]:
    """The variables of a .mat file, without singleton dimensions."""
    from scipy.io import loadmat

    return loadmat(path, squeeze_me=True)


def read(rows: pd.DataFrame, resolution: int, settings: Any, root: Path) -> np.ndarray:
    """Pictures of index rows whose keys are paths below `root`: uint8 `[n, resolution, resolution, 3]`."""
    return read_files([root / key for key in rows["key"]], resolution)
