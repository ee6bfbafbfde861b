"""The diffusion process against closed forms, and the samplers against diffusers and exact solutions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from finefit import processes
from finefit.diffusion.predict import guided
from finefit.processes.ddpm import Diffusion, gaussian_kl, linear_alphas_cumprod, respaced

DDPM = processes.find("ddpm")


@pytest.fixture
def latents() -> torch.Tensor:
    return torch.randn(4, 4, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_schedule_is_the_linear_one_of_ddpm():
    kept = linear_alphas_cumprod()
    assert kept[0] == pytest.approx(1 - 1e-4, rel=1e-14)
    assert kept[-1] / kept[-2] == pytest.approx(1 - 0.02, rel=1e-12)
    assert len(kept) == 1000


def test_posterior_is_bayes_rule(latents):
    """q(x_{t-1} | x_t, x_0) from the product of the two Gaussians q(x_t | x_{t-1}) and q(x_{t-1} | x_0)."""
    process, step = Diffusion(), 300
    kept = linear_alphas_cumprod()
    beta = 1 - kept[step] / kept[step - 1]
    precision = (1 - beta) / beta + 1 / (1 - kept[step - 1])
    noised = latents.flip(0)
    expected = (
        math.sqrt(1 - beta) / beta * noised + math.sqrt(kept[step - 1]) / (1 - kept[step - 1]) * latents
    ) / precision
    mean, log_variance = process.posterior(latents, noised, torch.full((4,), step))
    assert torch.allclose(mean, expected, rtol=1e-12, atol=1e-14)
    assert torch.allclose(log_variance.exp(), torch.tensor(1 / precision, dtype=torch.float64), rtol=1e-10)


def test_predicted_noise_gives_back_the_latents(latents):
    noise, t = latents.flip(1), torch.tensor([0, 10, 500, 999])
    process = Diffusion()
    assert torch.allclose(process.predicted_x0(process.noised(latents, t, noise), t, noise), latents, atol=1e-10)


def test_divergence_of_gaussians_equals_torch():
    first = torch.distributions.Normal(torch.tensor(0.3).double(), torch.tensor(1.7).double())
    second = torch.distributions.Normal(torch.tensor(-0.4).double(), torch.tensor(0.6).double())
    ours = gaussian_kl(first.loc, 2 * first.scale.log(), second.loc, 2 * second.scale.log())
    assert ours.item() == pytest.approx(torch.distributions.kl_divergence(first, second).item(), rel=1e-12)


def test_variational_term_is_zero_bits_for_the_true_posterior(latents):
    """With the true noise and the posterior's own variance (range -1) the divergence vanishes at every step above 0."""
    process, t = Diffusion(), torch.tensor([1, 10, 500, 999])
    noise = latents.flip(2)
    noised = process.noised(latents, t, noise)
    output = torch.cat([noise, torch.full_like(noise, -1.0)], dim=1)
    assert process.variational_term(output, latents, noised, t).abs().max() < 1e-9


def test_variance_loss_leaves_the_mean_alone(latents):
    """L_vlb trains the variance only: the gradient on the noise is that of the simple loss."""
    process, t = Diffusion(), torch.tensor([5, 50, 500, 999])
    noise = latents.flip(2)
    noised = process.noised(latents, t, noise)
    output = torch.randn(4, 8, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    process.loss(output, latents, noised, t, noise).sum().backward()
    expected = 2 * (output.detach()[:, :4] - noise) / noise[0].numel()
    assert torch.allclose(output.grad[:, :4], expected, rtol=1e-12)
    assert output.grad[:, 4:].abs().sum() > 0


def test_respaced_steps_are_those_of_the_published_code():
    assert respaced(250).timesteps[[0, 1, 2, -2, -1]].tolist() == [0, 4, 8, 995, 999]
    assert respaced(1000).timesteps.tolist() == list(range(1000))


def gaussian_noise(variance: float):
    """The exact noise prediction for data from N(0, variance), with a variance channel of zeros."""
    kept = torch.from_numpy(linear_alphas_cumprod())

    def predict(x, t):
        a = kept[t].to(x.dtype)
        noise = (1 - a).sqrt() / (a * variance + 1 - a) * x
        return torch.cat([noise, torch.zeros_like(noise)], dim=1)

    return predict


@pytest.mark.parametrize(("sampler", "steps", "tolerance"), [("ddim", 250, 0.03), ("dpmpp", 50, 0.03)])
def test_deterministic_samplers_reach_the_exact_scale(sampler, steps, tolerance):
    """For Gaussian data the probability flow only rescales: x_0 = x_T * sqrt(variance / (a_T variance + 1 - a_T))."""
    variance, last = 0.25, linear_alphas_cumprod()[-1]
    x = torch.ones(1, 4, 2, 2)
    result = DDPM.sample(sampler, gaussian_noise(variance), x, steps, lambda: torch.zeros_like(x))
    assert result.mean().item() == pytest.approx(math.sqrt(variance / (last * variance + 1 - last)), rel=tolerance)


def test_ancestral_sampling_has_the_data_variance():
    generator = torch.Generator().manual_seed(0)
    noise = lambda: torch.randn(64, 4, 8, 8, generator=generator)  # noqa: E731
    result = DDPM.ancestral(gaussian_noise(0.25), noise(), 100, noise)
    assert result.var().item() == pytest.approx(0.25, rel=0.05)


def test_dpm_solver_equals_diffusers():
    from diffusers import DPMSolverMultistepScheduler

    torch.manual_seed(0)
    mix = torch.randn(4, 4) / 2
    predict = lambda x, t: torch.cat([torch.einsum("ij,njhw->nihw", mix, x).tanh()] * 2, dim=1)  # noqa: E731
    x = torch.randn(2, 4, 4, 4)
    scheduler = DPMSolverMultistepScheduler(
        beta_start=1e-4, beta_end=0.02, beta_schedule="linear", algorithm_type="dpmsolver++", final_sigmas_type="zero"
    )
    scheduler.set_timesteps(10)
    expected = x.clone()
    for t in scheduler.timesteps:
        expected = scheduler.step(predict(expected, t)[:, :4], t, expected).prev_sample
    ours = DDPM.dpmpp(predict, x, 10, lambda: torch.zeros_like(x))
    assert (ours - expected).norm() / expected.norm() < 1e-5


class TwoRows(torch.nn.Module):
    """A stand-in network whose output is its row number everywhere."""

    def forward(self, x, t, rows):
        return rows.float().view(-1, 1, 1, 1).expand(-1, 8, *x.shape[2:])


def test_guidance_follows_the_papers_formula_on_the_guided_channels():
    rows, references = torch.tensor([3, 5]), torch.tensor([10, 11])
    output = guided(TwoRows(), rows, references, 4.0, 3, (0, 999))(torch.zeros(2, 4, 2, 2), 0)
    assert output[:, :3, 0, 0].tolist() == [[10 + 4 * (3 - 10)] * 3, [11 + 4 * (5 - 11)] * 3]
    assert output[:, 3:, 0, 0].tolist() == [[3.0] * 5, [5.0] * 5]


def test_scale_one_is_no_guidance():
    x, rows = torch.zeros(2, 4, 2, 2), torch.tensor([3, 5])
    found = guided(TwoRows(), rows, torch.tensor([10, 11]), 1.0, 4, (0, 999))(x, 0)
    assert torch.equal(found, guided(TwoRows(), rows, None, 1.0, 4, (0, 999))(x, 0))


def test_float64_constants():
    assert all(getattr(Diffusion(), name).dtype == torch.float64 for name in ("betas", "alphas_cumprod"))
    assert np.all(np.isfinite(Diffusion().posterior_log_variance.numpy()))
