"""Which row of a base's class table stands for no class. No torch, so that a study can be checked without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open


def about(file: Path) -> dict[str, Any]:
    """What a base of this project tells of itself in its metadata: `classes`, `null_row`; of others, nothing."""
    if file.suffix != ".safetensors":
        return {}
    with safe_open(file, "numpy") as opened:
        return json.loads((opened.metadata() or {}).get("finefit", "{}"))


def null_row(file: Path, rows: int, said: int | str = "last") -> int | None:
    """The row of a base's class table that stands for no class; None where none was trained.

    Args:
        file: the base; what it tells of itself counts.
        rows: of its class table.
        said: what counts where it tells nothing: "last" as in DiT's checkpoints, "none", or the row's number.

    Raises:
        ValueError: the table has no such row.
    """
    numbers: dict[int | str, int | None] = {"last": rows - 1, "none": None}
    row = about(file).get("null_row", numbers.get(said, said))
    if row is not None and not 0 <= row < rows:
        raise ValueError(f"{file}: row {row} is to stand for no class (base.null_row), and its class table has {rows}")
    return row
