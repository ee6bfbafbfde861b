"""What a base's file tells of itself, or else the study of it. No torch, so that a study can be checked without it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finefit import processes
from finefit.jobs import tensors


def about(file: Path) -> dict[str, Any]:
    """What a base of this project tells in its metadata: `classes`, `null_row`, `process`; of others, nothing."""
    if file.suffix != ".safetensors":
        return {}
    with tensors.opened(file, "np") as opened:
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


def check_process(file: Path, base: Mapping[str, Any]) -> None:
    """Raise ValueError where a base tells that it was trained by another process than its settings say."""
    told, said = about(file), base.get("weights_process") or base.get("process", processes.DEFAULT)
    if told and (own := told.get("process", processes.DEFAULT)) != said:
        raise ValueError(
            f"{file}: was trained by process {own}, and the study takes it for {said}: give base.process {own}; or, to "
            f"go on training it by another, base.weights_process {own}"
        )
