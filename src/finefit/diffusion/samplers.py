"""Samplers: plain functions from noise to latents, and the guidance they all share.

Each takes `predict(x, t) -> output`, the network's noise and variance `[n, 2c, h, w]` for latents at step `t` of the
training schedule (a plain integer, so that no decision waits for a GPU), and `noise()`, fresh standard normal noise of
the latents' shape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from finefit.diffusion.guidance import Form, plain
from finefit.diffusion.process import TRAIN_STEPS, linear_alphas_cumprod, respaced
from finefit.models.dit import DiT

Predict = Callable[[Tensor, int], Tensor]
Noise = Callable[[], Tensor]


def guided(
    model: DiT,
    rows: Tensor,
    references: Tensor | None,
    scale: float,
    channels: int,
    interval: tuple[int, int],
    form: Form = plain,
    pair: DiT | None = None,
) -> Predict:
    """Guidance away from `references`, both halves in one batch.

    The noise is the `form`'s on the first `channels` channels; the others and the variance stay the label's. The
    published code guides 3 of 4 channels. Outside the `interval` of timesteps (Kynkaanniemi et al. 2024), and without
    references: no guidance.

    Args:
        references: `[n]` rows of the class table, or None.
        pair: answers to the rows by `model` and to the references by another network, whose rows they then are (see
            `finefit.deltas.beside`); where left out, `model` answers to both.
    """

    def unguided(x: Tensor, t: int) -> Tensor:
        return model(x, torch.full((len(x),), t, device=x.device), rows)

    if references is None:
        return unguided
    both, network = torch.cat([rows, references]), pair or model

    def predict(x: Tensor, t: int) -> Tensor:
        if not interval[0] <= t <= interval[1]:
            return unguided(x, t)
        label, reference = network(torch.cat([x, x]), torch.full((len(both),), t, device=x.device), both).chunk(2)
        steered = form(label[:, :channels], reference[:, :channels], scale, x[:, :channels], t)
        return torch.cat([steered, label[:, channels:]], dim=1)

    return predict


def told(model: DiT, rows: Tensor, scale: float, interval: tuple[int, int]) -> Predict:
    """One pass of a network that takes the scale of guidance as an input; outside the `interval` a scale of 1."""

    def predict(x: Tensor, t: int) -> Tensor:
        inside = interval[0] <= t <= interval[1]
        scales = torch.full((len(x),), scale if inside else 1.0, device=x.device)
        return model(x, torch.full((len(x),), t, device=x.device), rows, scales)

    return predict


def ancestral(predict: Predict, x: Tensor, steps: int, noise: Noise) -> Tensor:
    """DDPM's ancestral sampling with learned variance on a respaced schedule (Improved DDPM, section 4)."""
    process = respaced(steps)
    for step in reversed(range(steps)):
        t = torch.full((len(x),), step, device=x.device)
        output = predict(x, int(process.timesteps[step])).float()
        mean, log_variance = process.predicted(output, x, t)
        x = mean + (0.5 * log_variance).exp() * noise() if step else mean
    return x


def ddim(predict: Predict, x: Tensor, steps: int, noise: Noise) -> Tensor:
    """Deterministic DDIM (Song et al. 2021, eq. 12 with sigma 0) on a respaced schedule."""
    process = respaced(steps)
    kept = np.append(1.0, process.alphas_cumprod.numpy())
    for step in reversed(range(steps)):
        t = torch.full((len(x),), step, device=x.device)
        predicted = predict(x, int(process.timesteps[step])).float().chunk(2, dim=1)[0]
        x0 = process.predicted_x0(x, t, predicted)
        x = float(np.sqrt(kept[step])) * x0 + float(np.sqrt(1 - kept[step])) * predicted
    return x


def dpmpp(predict: Predict, x: Tensor, steps: int, noise: Noise) -> Tensor:
    """DPM-Solver++(2M), midpoint form, last step of first order (Lu et al. 2022, algorithm 2)."""
    timesteps = np.round(np.linspace(0, TRAIN_STEPS - 1, steps + 1)).astype(np.int64)[:0:-1]
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
