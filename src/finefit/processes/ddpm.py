"""Denoising diffusion, as DiT is trained: linear schedule, noising, posterior, the hybrid training loss, samplers.

Equation numbers are those of DDPM (Ho et al. 2020) and Improved DDPM (Nichol and Dhariwal 2021), whose learned-range
variance and L_hybrid DiT uses. A network predicts noise and variance; times are the schedule's steps, integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from finefit.processes import STEPS, Sampler

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from finefit.processes import Noise, Predict

SCHEDULE: dict[str, Any] = {  # diffusers' words for it
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "timestep_spacing": "linspace",
}


class Process:
    """See `finefit.processes.Process`; a prediction is of the noise."""

    # Each of the schedule's steps is taken once; dpmpp needs one more for its start, a respaced process of one step has
    # no variance, and DDIM is diffusers' solver of first order.
    SAMPLERS = {
        "dpmpp": Sampler(1, STEPS - 1, scheduler=("DPMSolverMultistepScheduler", SCHEDULE | {"solver_order": 2})),
        "ddim": Sampler(2, STEPS, scheduler=("DPMSolverMultistepScheduler", SCHEDULE | {"solver_order": 1})),
        "ancestral": Sampler(
            2, STEPS, scheduler=("DDPMScheduler", SCHEDULE | {"variance_type": "learned_range", "clip_sample": False})
        ),
    }
    FIRST_ORDER = "ddim"
    VELOCITY = False

    @cached_property
    def whole(self) -> Diffusion:
        """All steps of the schedule."""
        return Diffusion()

    def time(self, step: int) -> float:
        return step

    def step(self, t: float) -> float:
        return t

    def times(self, count: int, chance: Generator) -> Tensor:
        import torch

        return torch.randint(STEPS, (count,), generator=chance)

    def noisier(self, uniform: Tensor) -> Tensor:
        """p(t) in proportion to t + 1, exactly."""
        import torch

        weights = torch.arange(1, STEPS + 1, dtype=torch.float64)
        return torch.searchsorted(weights.cumsum(0) / weights.sum(), uniform, right=True).clamp(max=STEPS - 1)

    def mirrored(self, t: Tensor) -> Tensor:
        return STEPS - 1 - t

    def least_noisy(self, t: Tensor, share: float) -> Tensor:
        return t < share * STEPS

    def noised(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        return self.whole.noised(x0, t, noise)

    def target(self, x0: Tensor, noise: Tensor) -> Tensor:
        return noise

    def loss(self, output: Tensor, x0: Tensor, xt: Tensor, t: Tensor, target: Tensor) -> Tensor:
        return self.whole.loss(output, x0, xt, t, target)

    def implied(self, prediction: Tensor, xt: Tensor, t: float) -> Tensor:
        return xt - float((1 - linear_alphas_cumprod()[int(t)]) ** 0.5) * prediction

    def still(self, xt: Tensor, t: float) -> Tensor | None:
        """The velocity, alpha noise - sigma x0 (Salimans and Ho 2022), vanishes where the noise is sigma xt."""
        return float((1 - linear_alphas_cumprod()[int(t)]) ** 0.5) * xt if t == STEPS - 1 else None

    def sample(self, sampler: str, predict: Predict, x: Tensor, steps: int, noise: Noise) -> Tensor:
        return getattr(self, sampler)(predict, x, steps, noise)

    def ancestral(self, predict: Predict, x: Tensor, steps: int, noise: Noise) -> Tensor:
        """DDPM's ancestral sampling with learned variance on a respaced schedule (Improved DDPM, section 4)."""
        import torch

        process = respaced(steps)
        for step in reversed(range(steps)):
            t = torch.full((len(x),), step, device=x.device)
            output = predict(x, int(process.timesteps[step])).float()
            mean, log_variance = process.predicted(output, x, t)
            x = mean + (0.5 * log_variance).exp() * noise() if step else mean
        return x

    def ddim(self, predict: Predict, x: Tensor, steps: int, noise: Noise) -> Tensor:
        """Deterministic DDIM (Song et al. 2021, eq. 12 with sigma 0) on a respaced schedule."""
        import torch

        process = respaced(steps)
        kept = np.append(1.0, process.alphas_cumprod.numpy())
        for step in reversed(range(steps)):
            t = torch.full((len(x),), step, device=x.device)
            predicted = predict(x, int(process.timesteps[step])).float().chunk(2, dim=1)[0]
            x0 = process.predicted_x0(x, t, predicted)
            x = float(np.sqrt(kept[step])) * x0 + float(np.sqrt(1 - kept[step])) * predicted
        return x

    def dpmpp(self, predict: Predict, x: Tensor, steps: int, noise: Noise) -> Tensor:
        """DPM-Solver++(2M), midpoint form, last step of first order (Lu et al. 2022, algorithm 2)."""
        timesteps = np.round(np.linspace(0, STEPS - 1, steps + 1)).astype(np.int64)[:0:-1]
        kept = np.append(linear_alphas_cumprod()[timesteps], 1.0)
        alpha, sigma = np.sqrt(kept), np.sqrt(1 - kept)
        with np.errstate(divide="ignore"):
            half_log_snr = np.log(alpha) - np.log(sigma)  # infinite at the end, where no noise is left
        previous = None
        for step, timestep in enumerate(timesteps):
            predicted = predict(x, int(timestep)).float().chunk(2, dim=1)[0]
            x0 = (x - float(sigma[step]) * predicted) / float(alpha[step])
            h = half_log_snr[step + 1] - half_log_snr[step]
            direction = x0
            if previous is not None and step < steps - 1:
                ratio = (half_log_snr[step] - half_log_snr[step - 1]) / h
                direction = x0 + (x0 - previous) * float(0.5 / ratio)
            x = float(sigma[step + 1] / sigma[step]) * x - float(alpha[step + 1] * np.expm1(-h)) * direction
            previous = x0
        return x


@dataclass(frozen=True)
class Diffusion:
    """Constants of a (respaced) Gaussian diffusion process, float64 `[steps]`.

    `timesteps` says which steps of the training schedule are kept; the model always sees those numbers.
    """

    timesteps: np.ndarray = field(default_factory=lambda: np.arange(STEPS))
    alphas_cumprod: Tensor = field(init=False)
    betas: Tensor = field(init=False)
    posterior_mean_x0: Tensor = field(init=False)
    posterior_mean_xt: Tensor = field(init=False)
    posterior_log_variance: Tensor = field(init=False)

    def __post_init__(self) -> None:
        import torch

        kept = linear_alphas_cumprod()[self.timesteps]
        previous = np.append(1.0, kept[:-1])
        betas = 1 - kept / previous
        variance = betas * (1 - previous) / (1 - kept)
        constants = {
            "alphas_cumprod": kept,
            "betas": betas,
            # DDPM eq. 7; the variance at the first step is 0, so its logarithm takes the second step's.
            "posterior_mean_x0": np.sqrt(previous) * betas / (1 - kept),
            "posterior_mean_xt": np.sqrt(1 - betas) * (1 - previous) / (1 - kept),
            "posterior_log_variance": np.log(np.append(variance[1], variance[1:])),
        }
        for name, values in constants.items():
            object.__setattr__(self, name, torch.from_numpy(values))

    def at(self, name: str, t: Tensor, like: Tensor) -> Tensor:
        """Constant `name` at steps `t` `[n]`, shaped `[n, 1, 1, 1]` with the type and device of `like`."""
        values = getattr(self, name)
        if values.device != like.device:  # a constant moves once, not at every step
            values = values.to(like.device)
            object.__setattr__(self, name, values)
        return values[t].to(like.dtype).view(-1, *[1] * (like.dim() - 1))

    def noised(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Sample of q(x_t | x_0), DDPM eq. 4."""
        kept = self.at("alphas_cumprod", t, x0)
        return kept.sqrt() * x0 + (1 - kept).sqrt() * noise

    def predicted_x0(self, xt: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """The x_0 that `xt` and a predicted noise imply (DDPM eq. 15)."""
        kept = self.at("alphas_cumprod", t, xt)
        return (xt - (1 - kept).sqrt() * noise) / kept.sqrt()

    def posterior(self, x0: Tensor, xt: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(x_{t-1} | x_t, x_0), DDPM eq. 7."""
        mean = self.at("posterior_mean_x0", t, xt) * x0 + self.at("posterior_mean_xt", t, xt) * xt
        return mean, self.at("posterior_log_variance", t, xt)

    def predicted(self, output: Tensor, xt: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of p(x_{t-1} | x_t) from the network's output (Improved DDPM eq. 15)."""
        noise, range_ = output.chunk(2, dim=1)
        low = self.at("posterior_log_variance", t, xt)
        high = self.at("betas", t, xt).log()
        log_variance = low + (range_ + 1) / 2 * (high - low)
        mean, _ = self.posterior(self.predicted_x0(xt, t, noise), xt, t)
        return mean, log_variance

    def variational_term(self, output: Tensor, x0: Tensor, xt: Tensor, t: Tensor) -> Tensor:
        """L_{t-1} (or L_0 where t is 0) in bits per dimension, `[n]` (DDPM eq. 8 to 13)."""
        true_mean, true_log_variance = self.posterior(x0, xt, t)
        mean, log_variance = self.predicted(output, xt, t)
        divergence = gaussian_kl(true_mean, true_log_variance, mean, log_variance).flatten(1).mean(1)
        reconstruction = -discretized_log_likelihood(x0, mean, 0.5 * log_variance).flatten(1).mean(1)
        return reconstruction.where(t == 0, divergence) / math.log(2)

    def loss(self, output: Tensor, x0: Tensor, xt: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """L_simple + L_vlb per sample, `[n]`; the variational term trains the variance only (its mean is detached)."""
        import torch

        predicted_noise, range_ = output.chunk(2, dim=1)
        simple = (predicted_noise - noise).square().flatten(1).mean(1)
        frozen_mean = torch.cat([predicted_noise.detach(), range_], dim=1)
        return simple + self.variational_term(frozen_mean, x0, xt, t)


def linear_alphas_cumprod() -> np.ndarray:
    """Cumulative product of `1 - beta`, beta linear from 1e-4 to 0.02 over 1,000 steps (DDPM section 4)."""
    return np.cumprod(1 - np.linspace(1e-4, 0.02, STEPS, dtype=np.float64))


def respaced(steps: int) -> Diffusion:
    """A process of `steps` evenly spread training steps, first and last included (Improved DDPM section 4)."""
    return Diffusion(np.round(np.linspace(0, STEPS - 1, steps)).astype(np.int64))


def gaussian_kl(mean1: Tensor, log_variance1: Tensor, mean2: Tensor, log_variance2: Tensor) -> Tensor:
    """KL divergence of diagonal Gaussians, element-wise, in nats."""
    ratio = (log_variance1 - log_variance2).exp()
    return 0.5 * (log_variance2 - log_variance1 + ratio - 1 + (mean1 - mean2).square() * (-log_variance2).exp())


def discretized_log_likelihood(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Log probability of `x`, seen as one of 256 levels over [-1, 1], under a Gaussian (DDPM eq. 13), in nats."""
    inverse = (-log_scale).exp()
    below = standard_normal_cdf(inverse * (x - mean - 1 / 255))
    above = standard_normal_cdf(inverse * (x - mean + 1 / 255))
    probability = above.where(x < -0.999, (1 - below).where(x > 0.999, above - below))
    return probability.clamp(min=1e-12).log()


def standard_normal_cdf(x: Tensor) -> Tensor:
    """The tanh approximation that the published code uses, so that losses agree with it."""
    return 0.5 * (1 + (math.sqrt(2 / math.pi) * (x + 0.044715 * x.pow(3))).tanh())
