"""The state from which an interrupted training goes on: one file, replaced at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor


class Optimizer(Protocol):
    """What has a state of its own."""

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state: dict) -> None: ...


@dataclass(frozen=True)
class State:
    """Tensors and optimizers of a training, in a fixed order, and the file in which they are kept."""

    file: Path
    tensors: list[Tensor]
    optimizers: list[Optimizer]

    def save(self, step: int, record: list[dict]) -> None:
        """Keep everything as it is before step `step`, and the record of losses up to it."""
        kept = {
            "step": step,
            "record": record,
            "tensors": [tensor.detach() for tensor in self.tensors],
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        torch.save(kept, self.file.with_suffix(".partial"))
        self.file.with_suffix(".partial").replace(self.file)

    def load(self) -> tuple[int, list[dict]]:
        """Take up a kept state in place; gives the next step and the record so far (0 and none without one)."""
        if not self.file.exists():
            return 0, []
        kept = torch.load(self.file, weights_only=True, map_location="cpu")
        for tensor, value in zip(self.tensors, kept["tensors"], strict=True):
            tensor.detach().copy_(value)
        for optimizer, value in zip(self.optimizers, kept["optimizers"], strict=True):
            optimizer.load_state_dict(value)
        return kept["step"], kept["record"]
