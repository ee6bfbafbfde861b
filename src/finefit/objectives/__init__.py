"""Training objectives: one file each, found by its name, for any method; nothing outside this package knows one's name.

An objective module defines

- `Settings`, a frozen dataclass derived from `ObjectiveSettings`, whose defaults are the paper's;
- `Objective`, a class made from these settings and `Material`, with
  - `vary(columns, chance, step)`, which changes or adds to what is drawn of a batch, and
  - `losses(part, networks)`, the loss of each picture of a part of that batch; and
- `add(model)`, only if it adds to the network: it does so and returns the names of what it added, which is trained.

`plain.py` says what each is. Modules import torch inside functions only, so that planning a study stays fast.

May import: jobs, models, processes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

from finefit import processes
from finefit.jobs import modules

if TYPE_CHECKING:
    from torch import Tensor

    from finefit.processes import Process

    Network = Callable[..., Tensor]  # of noised latents, times and labels, and of scales where it takes them


@dataclass(frozen=True)
class ObjectiveSettings:
    """What an objective can be asked: each derives its own.

    Attributes:
        NEEDS_NULL: whether labels are dropped to the class table's null row, which the method then has to train.
        NEEDS_BASE: whether the untouched base takes part, at its null row.
        GUIDANCE: what a network that was trained so can be guided by beside what its method was trained for.
    """

    NEEDS_NULL: ClassVar[bool] = False
    NEEDS_BASE: ClassVar[bool] = False
    GUIDANCE: ClassVar[tuple[str, ...]] = ()

    @property
    def passes(self) -> float:
        """Forward passes that it adds to a training step, on average over the training."""
        return 0.0

    @property
    def source(self) -> dict[str, int] | None:
        """Settings of the job that draws pictures from the base, where the objective trains on such."""
        return None

    def rehearsed(self, pictures: int) -> ObjectiveSettings:
        """The same, with at most so many pictures from the base, drawn in two steps."""
        return self


@dataclass(frozen=True)
class Material:
    """What an objective may build on.

    Attributes:
        steps: of the training.
        null_row: of the class table that is trained; None where it has none.
        source: latents `[n, c, h, w]` of pictures that the base drew, for those that ask for them.
        process: by which the network is trained.
    """

    steps: int
    null_row: int | None = None
    source: Tensor | None = None
    process: Process = processes.find(processes.DEFAULT)


@dataclass(frozen=True)
class Networks:
    """What can be asked at a step, each in the training's precision.

    Attributes:
        tuned: the network that is trained.
        averaged: the same with its running average.
        base: the untouched base, whose only row stands for no class; for objectives that need it.
    """

    tuned: Network
    averaged: Network
    base: Network | None = None


def names() -> list[str]:
    """Names of all objectives, in alphabetical order."""
    return modules.names(__name__)


def find(name: str) -> ModuleType:
    """The module of an objective; ValueError if there is none of that name."""
    return modules.find(__name__, name, "objective")
