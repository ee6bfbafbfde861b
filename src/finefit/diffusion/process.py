"""The diffusion process: linear schedule, noising, posterior, and the hybrid training loss.

Equation numbers are those of DDPM (Ho et al. 2020) and Improved DDPM (Nichol and Dhariwal 2021), whose learned-range
variance and L_hybrid DiT uses. Timesteps are integers, 0 the least noisy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

TRAIN_STEPS = 1000


@dataclass(frozen=True)
class Diffusion:
    """Constants of a (respaced) Gaussian diffusion process, float64 `[steps]`.

    `timesteps` says which steps of the training schedule are kept; the model always sees those numbers.
    """

    timesteps: np.ndarray = field(default_factory=lambda: np.arange(TRAIN_STEPS))
    alphas_cumprod: Tensor = field(init=False)
    betas: Tensor = field(init=False)
    posterior_mean_x0: Tensor = field(init=False)
    posterior_mean_xt: Tensor = field(init=False)
    posterior_log_variance: Tensor = field(init=False)

    def __post_init__(self) -> None:
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
        return torch.where(t == 0, reconstruction, divergence) / math.log(2)

    def loss(self, output: Tensor, x0: Tensor, xt: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """L_simple + L_vlb per sample, `[n]`; the variational term trains the variance only (its mean is detached)."""
        predicted_noise, range_ = output.chunk(2, dim=1)
        simple = (predicted_noise - noise).square().flatten(1).mean(1)
        frozen_mean = torch.cat([predicted_noise.detach(), range_], dim=1)
        return simple + self.variational_term(frozen_mean, x0, xt, t)


def linear_alphas_cumprod() -> np.ndarray:
    """Cumulative product of `1 - beta`, beta linear from 1e-4 to 0.02 over 1,000 steps (DDPM section 4)."""
    return np.cumprod(1 - np.linspace(1e-4, 0.02, TRAIN_STEPS, dtype=np.float64))


def respaced(steps: int) -> Diffusion:
    """A process of `steps` evenly spread training steps, first and last included (Improved DDPM section 4)."""
    return Diffusion(np.round(np.linspace(0, TRAIN_STEPS - 1, steps)).astype(np.int64))


def gaussian_kl(mean1: Tensor, log_variance1: Tensor, mean2: Tensor, log_variance2: Tensor) -> Tensor:
    """KL divergence of diagonal Gaussians, element-wise, in nats."""
    ratio = torch.exp(log_variance1 - log_variance2)
    return 0.5 * (log_variance2 - log_variance1 + ratio - 1 + (mean1 - mean2).square() * torch.exp(-log_variance2))


def discretized_log_likelihood(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Log probability of `x`, seen as one of 256 levels over [-1, 1], under a Gaussian (DDPM eq. 13), in nats."""
    inverse = torch.exp(-log_scale)
    below = standard_normal_cdf(inverse * (x - mean - 1 / 255))
    above = standard_normal_cdf(inverse * (x - mean + 1 / 255))
    probability = torch.where(x < -0.999, above, torch.where(x > 0.999, 1 - below, above - below))
    return probability.clamp(min=1e-12).log()


def standard_normal_cdf(x: Tensor) -> Tensor:
    """The tanh approximation that the published code uses, so that losses agree with it."""
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x.pow(3))))
