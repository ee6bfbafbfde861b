"""The held-out denoising loss: right for networks whose loss is known, the same chance for all, means as told."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import BASE, BASE_FILE, run_of, shaken

from finefit.deltas.network import network, with_own_classes
from finefit.evaluation.denoising import by_class_and_band, denoising_losses, fixed_noise, fixed_timesteps
from finefit.evaluation.drift import drift
from finefit.processes import STEPS
from finefit.processes.ddpm import Diffusion

LATENTS = torch.randn(10, 4, 8, 8, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(10) % 3


def test_timesteps_are_the_middles_of_equal_parts():
    assert fixed_timesteps(4).tolist() == [125, 375, 625, 875]
    assert len(set(fixed_timesteps(STEPS).tolist())) == STEPS


def told_the_picture(noised: torch.Tensor, t: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """A network that knows the noise (every picture is zero here), and takes the smaller variance."""
    kept = Diffusion().at("alphas_cumprod", t, noised)
    return torch.cat([noised / (1 - kept).sqrt(), -torch.ones_like(noised)], 1)


def silent(noised: torch.Tensor, t: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """A network that predicts no noise, and takes the smaller variance."""
    return torch.cat([torch.zeros_like(noised), -torch.ones_like(noised)], 1)


def test_a_network_that_knows_the_noise_loses_nothing():
    """True mean and the posterior's variance: both parts of the loss vanish."""
    losses = denoising_losses(told_the_picture, torch.zeros(5, 4, 8, 8), LABELS[:5], fixed_timesteps(5))
    assert losses.shape == (5, 5)
    assert np.abs(losses).max() < 1e-6


def test_a_network_that_predicts_no_noise_loses_the_noise():
    losses = denoising_losses(silent, 0 * LATENTS, LABELS, np.array([900]))
    noise = fixed_noise(tuple(LATENTS.shape), 900, 0)
    simple = noise.square().flatten(1).mean(1).numpy()
    assert (losses[:, 0] > simple).all()
    assert losses[:, 0] == pytest.approx(simple, rel=0.05)  # that late a wrong mean costs the variance little


def test_chance_hangs_on_the_seed_and_not_on_the_batch_size():
    asked = silent, LATENTS, LABELS, fixed_timesteps(3)
    whole, parts, other = (denoising_losses(*asked, *rest) for rest in ((0, 64), (0, 3), (1, 64)))
    assert whole == pytest.approx(parts, rel=1e-5)
    assert not np.allclose(whole, other)


def test_a_network_of_ours_is_scored(latents):
    """The shipped base on pictures of its kind: finite, below the loss of knowing nothing, highest at little noise."""
    model = network(run_of("bitfit"), BASE).eval()
    x0, labels = latents.sample(np.arange(16), np.zeros(16, int), torch.zeros(16, *latents.shape)), latents.labels
    losses = denoising_losses(model, x0, torch.as_tensor(labels), fixed_timesteps(4), batch_size=8)
    assert losses.shape == (16, 4) and np.isfinite(losses).all()
    assert 0 < losses.mean() < 1
    assert losses[:, 0].mean() > losses[:, 3].mean()  # little noise is hard to tell from a picture's own detail


def test_means_by_class_and_band_are_loops():
    timesteps, labels = fixed_timesteps(6), LABELS.numpy()
    losses = np.random.default_rng(0).random((10, 6))
    table = by_class_and_band(losses, labels, timesteps, bands=3)
    assert len(table) == 9 and table["pictures"].sum() == 30
    for row in table.to_dict("records"):
        inside = [i for i, t in enumerate(timesteps) if row["from"] <= t <= row["to"]]
        of_class = [losses[n, i] for n in range(10) for i in inside if labels[n] == row["class_id"]]
        assert row["loss"] == pytest.approx(np.mean(of_class))
    few = by_class_and_band(losses[:, :1], labels, timesteps[:1], bands=3)
    assert set(few["from"]) == {0}


# Drift


def drift_of(model, pictures: int = 4) -> float:
    return drift(model, with_own_classes(BASE_FILE, model.shape), pictures, steps=2)


def test_the_base_has_not_moved_from_itself():
    """Nor has a network that learned classes of its own and nothing else: the base's classes are what is asked."""
    assert drift_of(network(run_of("labels"), BASE)) == 0
    assert drift_of(shaken(network(run_of("labels"), BASE))) == 0


def test_drift_is_how_far_the_noise_is_off_as_a_share_of_it():
    model = network(run_of("full"), BASE)
    model.final_layer.linear.weight.data *= 1.25
    model.final_layer.linear.bias.data *= 1.25
    assert drift_of(model) == pytest.approx(0.25, rel=1e-5)
