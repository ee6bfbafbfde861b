"""AdaptFormer's bottleneck (Chen et al. 2022, section 3.2), which an `Mlp` can be given."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

SCALE = 0.1  # s in the paper's equation 3; its default


class Adapter(nn.Module):
    """`SCALE * up(ReLU(down(x)))`, added to the output of the perceptron that got the same `x`; zero at the start."""

    def __init__(self, dim: int, bottleneck: int):
        super().__init__()
        self.down = nn.Linear(dim, bottleneck)
        self.up = nn.Linear(bottleneck, dim)
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        for parameter in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return SCALE * self.up(F.relu(self.down(x)))
