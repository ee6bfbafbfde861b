"""What moves trained parameters: AdamW, the class table row by row, and the moving average of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from finefit.models.shapes import CLASS_TABLE
from finefit.training.learning_rate import share_of_peak
from finefit.training.rowwise import RowwiseAdam
from finefit.training.weight_average import decay

if TYPE_CHECKING:
    from finefit.study.sections import TrainSettings


class Optimizer:
    """One step of everything that is trained, and its `average` by name.

    Args:
        parameters: what is trained, by name; changes in place.
        rates: peak learning rate of each by name.
        settings: schedule, weight decay (of everything but the class table), decay of the average.
    """

    def __init__(self, parameters: dict[str, nn.Parameter], rates: dict[str, float], settings: TrainSettings):
        self.parameters = parameters
        self.average = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        self.others = {name: parameter for name, parameter in parameters.items() if name != CLASS_TABLE}
        self.shares = np.array([share_of_peak(settings, step) for step in range(settings.steps)])
        self.decays = np.array([decay(settings, step) for step in range(settings.steps)])
        table_rates = rates[CLASS_TABLE] * self.shares
        self.table = RowwiseAdam(parameters[CLASS_TABLE], self.average[CLASS_TABLE], table_rates, self.decays)
        self.adamw = torch.optim.AdamW(groups(self.others, rates), weight_decay=settings.weight_decay, fused=True)

    def leaves(self, rows: Tensor, step: int) -> list[Tensor]:
        """What is differentiated at a step: a window on the given rows of the class table, then everything else."""
        return [self.table.window(rows, step), *self.others.values()]

    def averaged(self) -> dict[str, Tensor]:
        """The average by name, of the class table the window's rows as they stand before the step."""
        table = self.average[CLASS_TABLE]
        return self.average | {CLASS_TABLE: table[self.table.rows.to(table.device)]}

    def step(self, step: int) -> None:
        """Take step `step` (counted from 0) by the gradients that the leaves hold, and forget them."""
        for group in self.adamw.param_groups:
            group["lr"] = group["peak"] * float(self.shares[step])
        self.adamw.step()
        self.adamw.zero_grad()
        self.table.update(step)
        if self.others:
            values = [parameter.detach() for parameter in self.others.values()]
            torch._foreach_lerp_([self.average[name] for name in self.others], values, 1 - self.decays[step])

    def finish(self) -> None:
        """Bring the rows that still wait to the end of the last step."""
        self.table.finish(len(self.shares))

    def state_dict(self) -> dict:
        """Everything that later steps depend on, the parameters included."""
        return {
            "parameters": {name: parameter.detach() for name, parameter in self.parameters.items()},
            "average": self.average,
            "adamw": self.adamw.state_dict(),
            "table": self.table.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Take up what `state_dict` gave, in place."""
        for name, parameter in self.parameters.items():
            parameter.detach().copy_(state["parameters"][name])
            self.average[name].copy_(state["average"][name])
        self.adamw.load_state_dict(state["adamw"])
        self.table.load_state_dict(state["table"])


def groups(parameters: dict[str, nn.Parameter], rates: dict[str, float]) -> list[dict]:
    """AdamW's groups by peak learning rate; one without parameters where only the class table is trained."""
    members: dict[float, list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        members.setdefault(rates[name], []).append(parameter)
    return [{"params": members[peak], "peak": peak} for peak in members] or [{"params": [], "peak": 0.0}]
