"""Processes between noise and latents: one file each, found by its name; nothing outside this package knows one's.

The modules' `Process` is what `Process` here asks for. Everything that depends on the path between noise and picture
asks it: training and its objectives, samplers, forms of guidance, the held-out loss, drift, exports. What a network
predicts is the first half of its output's channels, whatever it is; what the other half is for, its process knows.

A step of the schedule is a thousandth of the way from picture to noise, 0 (least noise) to 999, in every process:
studies and tables speak of steps. The time that a network is told is the process's own.

Modules import torch inside functions only, so that planning a study stays fast.

May import: jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from finefit.jobs import modules

if TYPE_CHECKING:
    from torch import Generator, Tensor

    Predict = Callable[[Tensor, float], Tensor]  # latents and the time, a plain number: no decision waits for a GPU
    Noise = Callable[[], Tensor]  # fresh standard normal noise of the latents' shape

DEFAULT = "ddpm"  # of studies that name none, and of what was made before there was a second
STEPS = 1000  # of the schedule


@dataclass(frozen=True)
class Sampler:
    """What can be known of a sampler before it runs.

    Attributes:
        least, most: steps that it can take.
        evaluations: of the network at every step.
        scheduler: class and settings of diffusers' scheduler that takes the same steps; None where there is none.
    """

    least: int
    most: int
    evaluations: int = 1
    scheduler: tuple[str, dict[str, Any]] | None = None


class Process(Protocol):
    """What is asked of a process.

    Below, x0 are latents of pictures, xt those noised to times t `[n]`, noise standard normal, all `[n, c, h, w]`;
    `output` is a network's, `[n, 2c, h, w]`, and `prediction` what it predicts, or the first channels of it.

    Attributes:
        SAMPLERS: by name; the first draws pictures in few steps.
        FIRST_ORDER: the one that is deterministic and of first order.
        VELOCITY: whether networks predict the way from noise to picture, in place of the noise.
    """

    SAMPLERS: Mapping[str, Sampler]
    FIRST_ORDER: str
    VELOCITY: bool

    def time(self, step: int) -> float:
        """The time that a network is told at a step of the schedule."""

    def step(self, t: float) -> float:
        """The step of the schedule that a time lies in, 0 to 999."""

    def times(self, count: int, chance: Generator) -> Tensor:
        """Times `[count]` to train at, all as likely."""

    def noisier(self, uniform: Tensor) -> Tensor:
        """Times as likely as they are noisy, from uniform numbers `[n]`."""

    def mirrored(self, t: Tensor) -> Tensor:
        """Times as far from noise as `t` are from pictures."""

    def least_noisy(self, t: Tensor, share: float) -> Tensor:
        """Which of the times `[n]` lie in this share of the schedule, from no noise on."""

    def noised(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """xt."""

    def target(self, x0: Tensor, noise: Tensor) -> Tensor:
        """What a network is to predict."""

    def loss(self, output: Tensor, x0: Tensor, xt: Tensor, t: Tensor, target: Tensor) -> Tensor:
        """What training minimises, of each picture `[n]`."""

    def implied(self, prediction: Tensor, xt: Tensor, t: float) -> Tensor:
        """The x0 that a prediction implies, up to a factor."""

    def still(self, xt: Tensor, t: float) -> Tensor | None:
        """The prediction at which nothing moves, where `t` is the time that samplers start at; else None."""

    def sample(self, sampler: str, predict: Predict, x: Tensor, steps: int, noise: Noise) -> Tensor:
        """Noise `x` to latents, by a sampler in so many steps.

        Args:
            predict: `predict(x, t) -> output`, the network's.
            noise: for samplers that add some.
        """


def names() -> list[str]:
    """Names of all processes, in alphabetical order."""
    return modules.names(__name__)


@cache
def find(name: str) -> Process:
    """A process; ValueError if there is none of that name."""
    return modules.find(__name__, name, "process").Process()


def of(settings: Mapping[str, Any]) -> Process:
    """The process of a job's settings, or of a network's or a base's: they name it where it is not the default."""
    return find(settings.get("process", DEFAULT))


def told(settings: Mapping[str, Any]) -> dict[str, str]:
    """What such settings tell of their process, for others that follow from them."""
    return {"process": settings["process"]} if "process" in settings else {}


def few_steps(process: Process) -> str:
    """The sampler that draws pictures in few steps."""
    return next(iter(process.SAMPLERS))
