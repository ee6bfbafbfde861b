"""Flow matching along a straight path, as SiT is trained (Ma et al. 2024, arXiv 2401.08740).

    xt = t x0 + (1 - t) noise,    the network predicts the velocity v = x0 - noise,    t from 0 (noise) to 1 (picture)

so that x0 = xt + (1 - t) v and noise = xt - t v. The second half of a network's output, DiT's variance, is neither
trained nor used. Equation numbers are the paper's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from finefit.processes import STEPS, Sampler

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from finefit.processes import Noise, Predict

LAST = 0.04  # of the way to the picture that the stochastic sampler goes in one last step, without noise, as published


class Process:
    """See `finefit.processes.Process`."""

    SAMPLERS = {
        "heun": Sampler(1, STEPS, evaluations=2),
        "euler": Sampler(1, STEPS, scheduler=("FlowMatchEulerDiscreteScheduler", {})),
        "sde": Sampler(2, STEPS),
    }
    FIRST_ORDER = "euler"
    VELOCITY = True

    def time(self, step: int) -> float:
        return 1 - step / STEPS

    def step(self, t: float) -> float:
        return min(STEPS * (1 - t), STEPS - 1)

    def times(self, count: int, chance: Generator) -> Tensor:
        import torch

        return torch.rand(count, generator=chance)

    def noisier(self, uniform: Tensor) -> Tensor:
        return (1 - uniform.sqrt()).float()

    def mirrored(self, t: Tensor) -> Tensor:
        return 1 - t

    def least_noisy(self, t: Tensor, share: float) -> Tensor:
        return t >= 1 - share

    def noised(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Sample of the path (equation 1, with its alpha t and its sigma 1 - t)."""
        t = t.to(x0.dtype).view(-1, *[1] * (x0.dim() - 1))
        return t * x0 + (1 - t) * noise

    def target(self, x0: Tensor, noise: Tensor) -> Tensor:
        return x0 - noise

    def loss(self, output: Tensor, x0: Tensor, xt: Tensor, t: Tensor, target: Tensor) -> Tensor:
        """The mean square error of the velocity, with no weight."""
        return (output.chunk(2, dim=1)[0] - target).square().flatten(1).mean(1)

    def implied(self, prediction: Tensor, xt: Tensor, t: float) -> Tensor:
        return xt + (1 - t) * prediction

    def still(self, xt: Tensor, t: float) -> Tensor | None:
        return xt.new_zeros(xt.shape) if t == 0 else None

    def sample(self, sampler: str, predict: Predict, x: Tensor, steps: int, noise: Noise) -> Tensor:
        return getattr(self, sampler)(predict, x, steps, noise)

    def euler(self, predict: Predict, x: Tensor, steps: int, noise: Noise) -> Tensor:
        """Even steps along the velocity."""
        for step in range(steps):
            x = x + velocity(predict, x, step / steps) / steps
        return x

    def heun(self, predict: Predict, x: Tensor, steps: int, noise: Noise) -> Tensor:
        """Even steps along the mean of the velocities at either end, the far one found by Euler."""
        for step in range(steps):
            here = velocity(predict, x, step / steps)
            there = velocity(predict, x + here / steps, (step + 1) / steps)
            x = x + (here + there) / (2 * steps)
        return x

    def sde(self, predict: Predict, x: Tensor, steps: int, noise: Noise) -> Tensor:
        """Euler and Maruyama's steps with as much new noise as is left of the old, then one of `LAST` without.

        dx = (v + (1 - t) s) dt + sqrt(2 (1 - t)) dw with the score s = (t v - x) / (1 - t).
        """
        h = (1 - LAST) / (steps - 1)
        for step in range(steps - 1):
            t = step * h
            x = x + h * drift(predict, x, t) + (2 * (1 - t) * h) ** 0.5 * noise()
        return x + LAST * drift(predict, x, 1 - LAST)


def velocity(predict: Predict, x: Tensor, t: float) -> Tensor:
    """What a network predicts, in the precision of the latents."""
    return predict(x, t).chunk(2, dim=1)[0].to(x.dtype)


def drift(predict: Predict, x: Tensor, t: float) -> Tensor:
    """What the stochastic sampler moves by but for chance: v + (1 - t) s."""
    v = velocity(predict, x, t)
    return v + (t * v - x)
