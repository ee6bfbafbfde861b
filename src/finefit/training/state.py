"""The state from which an interrupted training goes on: one file, replaced at once."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from finefit.jobs import states
from finefit.jobs.whole import whole
from finefit.training.optimizer import Optimizer


def save(file: Path, optimizer: Optimizer, since_record: Tensor, step: int, record: list[dict]) -> None:
    """Keep everything as it is before step `step`, and the record of losses up to it."""
    state = {"step": step, "record": record, "since_record": since_record, "optimizer": optimizer.state_dict()}
    with whole(file) as partial:
        torch.save(state, partial)


def load(file: Path, optimizer: Optimizer, since_record: Tensor) -> tuple[int, list[dict]]:
    """Take up a kept state in place; gives the next step and the record so far (0 and none without one)."""
    like = {"step": 0, "record": [], "since_record": since_record, "optimizer": states.outline(optimizer.state_dict())}
    if (state := states.read(file, like)) is None:
        return 0, []
    since_record.copy_(state["since_record"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"], state["record"]
