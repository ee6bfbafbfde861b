"""The state from which an interrupted training goes on: one file, replaced at once."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import torch
from torch import Tensor

from finefit.training.optimizer import Optimizer


def save(file: Path, optimizer: Optimizer, since_record: Tensor, step: int, record: list[dict]) -> None:
    """Keep everything as it is before step `step`, and the record of losses up to it."""
    state = {"step": step, "record": record, "since_record": since_record, "optimizer": optimizer.state_dict()}
    partial = file.with_suffix(".partial")
    try:
        torch.save(state, partial)
    except Exception:
        partial.unlink(missing_ok=True)  # on a full disk: the state before this one stays
        raise
    partial.replace(file)


def load(file: Path, optimizer: Optimizer, since_record: Tensor) -> tuple[int, list[dict]]:
    """Take up a kept state in place; gives the next step and the record so far (0 and none without one).

    A state that was cut off, as by a power failure, is put aside, and training starts anew.
    """
    if not file.exists():
        return 0, []
    try:
        state = torch.load(file, weights_only=True, map_location="cpu")
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        aside = file.with_suffix(".damaged")
        file.replace(aside)
        print(
            f"{file}: cut off ({str(error).splitlines()[0]}); put aside as {aside.name}, from the start",
            file=sys.stderr,
        )
        return 0, []
    since_record.copy_(state["since_record"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"], state["record"]
