"""Held-out denoising loss: how well a network predicts the noise in test pictures that it was not trained on.

The hybrid loss L_simple + L_vlb that training minimises (Improved DDPM, Nichol and Dhariwal 2021, eq. 16), on latents
of test pictures. Every picture is noised at the same fixed timesteps with the same fixed noise for every network, so
that chance of timesteps and noise cancels from the difference of two networks. It needs no sampling and no judge: it
says nothing of pictures by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from finefit.diffusion.process import TRAIN_STEPS, Diffusion

Network = Callable[[Tensor, Tensor, Tensor], Tensor]  # noised latents, timesteps, labels; gives noise and variance


def fixed_timesteps(count: int) -> np.ndarray:
    """`[count]` timesteps, the middles of as many equal parts of the training schedule."""
    return ((np.arange(count) + 0.5) * TRAIN_STEPS / count).astype(np.int64)


def fixed_noise(shape: tuple[int, ...], timestep: int, seed: int) -> Tensor:
    """The noise of a timestep for all pictures, `shape` = `[n, c, h, w]`: a function of the arguments alone."""
    state = np.random.SeedSequence([seed, timestep]).generate_state(1, np.uint64)[0]
    return torch.randn(shape, generator=torch.Generator().manual_seed(int(state >> 1)))


@torch.no_grad()
def denoising_losses(
    network: Network, latents: Tensor, labels: Tensor, timesteps: np.ndarray, seed: int = 0, batch_size: int = 64
) -> np.ndarray:
    """The hybrid loss of every picture at every timestep, `[n, timesteps]`.

    Args:
        network: takes noised latents, timesteps `[n]` and labels `[n]`, on the device of `latents`.
        latents: `[n, c, h, w]` of test pictures, as training sees them.
        labels: `[n]`, each picture's class.
        timesteps: see `fixed_timesteps`.
    """
    diffusion, columns = Diffusion(), []
    for timestep in timesteps.tolist():
        noise, parts = fixed_noise(tuple(latents.shape), timestep, seed), []
        for x0, part, label in zip(*(all_.split(batch_size) for all_ in (latents, noise, labels)), strict=True):
            part, t = part.to(x0), torch.full((len(x0),), timestep, device=x0.device)
            noised = diffusion.noised(x0, t, part)
            parts.append(diffusion.loss(network(noised, t, label).float(), x0, noised, t, part).double().cpu())
        columns.append(torch.cat(parts).numpy())
    return np.stack(columns, axis=1)


def by_class_and_band(losses: np.ndarray, labels: np.ndarray, timesteps: np.ndarray, bands: int) -> pd.DataFrame:
    """Mean losses with a row per class and band of timesteps: `class_id`, `from`, `to` (inclusive), `pictures`, `loss`.

    Args:
        losses: `[n, timesteps]`, see `denoising_losses`.
        labels: `[n]`.
        bands: equal parts of the training schedule; one without a timestep has no rows.
    """
    edges = np.linspace(0, TRAIN_STEPS, bands + 1).round().astype(int)
    tables = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (low <= timesteps) & (timesteps < high)
        if inside.any():
            grouped = pd.Series(losses[:, inside].mean(1)).groupby(labels)
            table = pd.DataFrame({"from": low, "to": high - 1, "pictures": grouped.size(), "loss": grouped.mean()})
            tables.append(table.rename_axis("class_id").reset_index())
    return pd.concat(tables, ignore_index=True)
