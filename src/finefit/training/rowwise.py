"""Adam for the class table, a few rows at a time: a step costs what its batch touches, and the result is dense Adam's.

A row that no label of a batch names has no gradient, yet dense Adam moves it by its decaying moments, and its average
follows. Here such a row waits. When a batch next names it, the steps that it missed are summed: with m and v the
moments after its last update at step s, eq. (1) of Adam (Kingma and Ba 2015, algorithm 1) moves it at step i by

    u_i = rate_i * (beta1^(i-s) m / (1 - beta1^i)) / (sqrt(beta2^(i-s) v / (1 - beta2^i)) + epsilon),

and with D_i the product of the average's decays up to step i, after step n

    row = row_s - sum u_i,    average = (D_n / D_s) average_s + (1 - D_n / D_s) row_s - sum (1 - D_n / D_(i-1)) u_i.

After `MEMORY` steps beta1^(i-s) is below 1e-9, and the sums end there.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # AdamW's defaults, which all other parameters have
MEMORY = 200
NUMBERS_AT_ONCE = 2**23  # of the terms u_i in memory: 32 MB


class RowwiseAdam:
    """A table's moments, average and the step that each of its rows has reached; table and average change in place.

    Args:
        table: `[rows, dim]`.
        average: its moving average, of the same shape.
        rates: learning rate of every step of the training, `[steps]`.
        decays: decay of the average at every step, `[steps]`.
    """

    def __init__(self, table: nn.Parameter, average: Tensor, rates: np.ndarray, decays: np.ndarray):
        self.table, self.average = table.detach(), average
        self.moments = torch.zeros(2, *table.shape, device=table.device)
        self.reached = torch.zeros(len(table), dtype=torch.int64)  # steps done; on the CPU, so that nobody waits
        self.rates, self.decays = rates, decays
        self.log_decays = np.append(0.0, np.cumsum(np.log(np.maximum(decays, 1e-30))))  # log D_i

    def window(self, rows: Tensor, step: int) -> Tensor:
        """Distinct rows (int64, on the CPU) as they stand before step `step`, as a leaf to be differentiated."""
        self.advance(rows, step)
        self.rows = rows
        self.leaf = self.table[rows.to(self.table.device)].requires_grad_()
        return self.leaf

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take step `step` (counted from 0) on the window's rows, by the gradients that its leaf holds."""
        rows, gradient = self.rows.to(self.table.device), self.leaf.grad
        mean, square = self.moments[:, rows]
        mean.lerp_(gradient, 1 - BETA1)
        square.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        root = square.sqrt().div_((1 - BETA2 ** (step + 1)) ** 0.5).add_(EPSILON)
        moved = self.leaf.detach().addcdiv_(mean, root, value=-self.rates[step] / (1 - BETA1 ** (step + 1)))
        self.moments[:, rows] = torch.stack([mean, square])
        self.table[rows] = moved
        self.average[rows] = self.average[rows].lerp_(moved, 1 - self.decays[step])
        self.reached[self.rows] = step + 1

    def advance(self, rows: Tensor, step: int) -> None:
        """Bring rows to the state before step `step`, a few at a time. A row that was never named stands still."""
        rows = rows[(self.reached[rows] > 0) & (self.reached[rows] < step)]
        if not len(rows):
            return
        longest = min(MEMORY, step - int(self.reached[rows].min()))
        for part in rows.split(max(1, NUMBERS_AT_ONCE // (longest * self.table.shape[1]))):
            self.replay(part, step)

    @torch.no_grad()
    def replay(self, rows: Tensor, step: int) -> None:
        """Add up the steps that `rows` missed before step `step`: the module's formulas."""
        start = self.reached[rows].numpy()[:, None]  # s
        passed = np.arange(1, min(MEMORY, step - start.min()) + 1)  # i - s
        at = np.minimum(start + passed, step)  # i
        rates = np.where(start + passed <= step, self.rates[at - 1], 0.0)
        move = rates * BETA1**passed / (1 - BETA1**at)
        shown = 1 - np.exp(self.log_decays[step] - self.log_decays[at - 1])  # of u_i in the average
        shrink = np.sqrt(BETA2**passed / (1 - BETA2**at))
        kept = np.exp(self.log_decays[step] - self.log_decays[start])
        gone = step - start

        def numbers(values: np.ndarray) -> Tensor:
            return torch.from_numpy(values.astype(np.float32)).to(self.table.device, non_blocking=True)

        rows_there = rows.to(self.table.device)
        mean, square = self.moments[:, rows_there]
        terms = mean[:, None] / torch.addcmul(
            torch.full((), EPSILON, device=mean.device), square.sqrt()[:, None], numbers(shrink)[:, :, None]
        )
        moved, moved_average = torch.bmm(numbers(np.stack([move, move * shown], axis=1)), terms).unbind(1)
        row = self.table[rows_there]
        self.average[rows_there] = torch.lerp(row, self.average[rows_there], numbers(kept)) - moved_average
        self.table[rows_there] = row - moved
        self.moments[:, rows_there] = torch.stack([mean * numbers(BETA1**gone), square * numbers(BETA2**gone)])
        self.reached[rows] = step

    def finish(self, steps: int) -> None:
        """Bring the whole table and its average to the end of step `steps`."""
        self.advance(torch.arange(len(self.table)), steps)

    def state_dict(self) -> dict[str, Tensor]:
        """What it needs to go on, beside table and average."""
        return {"moments": self.moments, "reached": self.reached}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take up what `state_dict` gave."""
        self.moments.copy_(state["moments"])
        self.reached.copy_(state["reached"])
