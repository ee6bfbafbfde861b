"""Guidance: each form against its paper's formula, and guidance away from another network than the sampled one."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import BASE, BASE_FILE, ROOT, SAMPLE, run_of, shaken

from finefit import processes
from finefit.deltas.beside import beside
from finefit.deltas.network import network, unconditional
from finefit.diffusion import guidance
from finefit.diffusion.predict import guided
from finefit.models.checkpoint import read_class_table
from finefit.outlook import work
from finefit.processes import STEPS
from finefit.processes.ddpm import linear_alphas_cumprod
from finefit.sampling.sample import sample
from finefit.study import reading
from finefit.study.plan import Plan

CHANCE = torch.Generator().manual_seed(0)
LABEL, REFERENCE, X = (torch.randn(3, 4, 5, 5, dtype=torch.float64, generator=CHANCE) for _ in range(3))
DDPM = processes.find("ddpm")
FORMS = ("plain", "zero_star", "apg")


def inner(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum((1, 2, 3), keepdim=True)


@pytest.mark.parametrize("form", FORMS)
def test_where_both_agree_every_form_says_the_same(form):
    torch.testing.assert_close(getattr(guidance, form)(LABEL, LABEL, 4.0, X, 500, DDPM), LABEL)


@pytest.mark.parametrize("form", ["plain", "apg"])
def test_scale_one_is_the_labels_own(form):
    torch.testing.assert_close(getattr(guidance, form)(LABEL, REFERENCE, 1.0, X, 500, DDPM), LABEL)


def test_zero_star_is_its_papers_equation():
    """(1 - w) s u + w c, with the s that makes s u nearest to c."""
    s = inner(LABEL, REFERENCE) / inner(REFERENCE, REFERENCE)
    expected = (1 - 3.0) * s * REFERENCE + 3.0 * LABEL
    torch.testing.assert_close(guidance.zero_star(LABEL, REFERENCE, 3.0, X, 500, DDPM), expected)
    residual = LABEL - guidance.projected(LABEL, REFERENCE)
    assert inner(residual, REFERENCE).abs().max() < 1e-12


def test_zero_stars_first_step_has_no_velocity():
    noise = guidance.zero_star(LABEL, REFERENCE, 3.0, X, STEPS - 1, DDPM)
    kept = linear_alphas_cumprod()[-1]
    x0 = (X - (1 - kept) ** 0.5 * noise) / kept**0.5
    assert (kept**0.5 * noise - (1 - kept) ** 0.5 * x0).abs().max() < 1e-12


@pytest.mark.parametrize("t", [0, 300, 999])
def test_apg_is_its_papers_update_of_predicted_pictures(t):
    """In the authors' terms: D_c + (w - 1) of what of D_c - D_u is orthogonal to D_c, D the predicted x0."""
    kept = linear_alphas_cumprod()[t]
    alpha, sigma = kept**0.5, (1 - kept) ** 0.5
    own, other = ((X - sigma * noise) / alpha for noise in (LABEL, REFERENCE))
    along = inner(own - other, own) / inner(own, own) * own
    expected = own + 3.0 * ((own - other) - along)
    found = (X - sigma * guidance.apg(LABEL, REFERENCE, 4.0, X, t, DDPM)) / alpha
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_what_sampling_goes_by(form):
    model = shaken(network(run_of("difffit"), BASE))
    rows, references = torch.tensor([0, 3]), torch.tensor([4, 4])
    x = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        predict = guided(model, rows, references, 3.0, 3, (0, 999), getattr(guidance, form))
        found, t = predict(x, 500), torch.tensor([500, 500])
        label, reference = model(x, t, rows), model(x, t, references)
    expected = getattr(guidance, form)(label[:, :3], reference[:, :3], 3.0, x[:, :3], 500, DDPM)
    torch.testing.assert_close(found[:, :3], expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[:, 3:], label[:, 3:], rtol=1e-5, atol=1e-5)


def drawn(model, away: str, pair) -> torch.Tensor:
    settings = SAMPLE | {"guidance": away, "scale": 2.0}
    return sample(model, torch.tensor([0, 3]), torch.tensor([0, 1]), settings, "float32", "cpu", pair)


@pytest.mark.parametrize("away", ["base", "auto"])
def test_guidance_away_from_another_network_is_domain_guidance_by_hand(away):
    model = shaken(network(run_of("difffit"), BASE))
    other = network(run_of("difffit"), BASE) if away == "auto" else unconditional(BASE_FILE, model.shape)

    def by_hand(x: torch.Tensor, t: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        own, theirs = rows.chunk(2)
        return torch.cat([model(x[: len(own)], t[: len(own)], own), other(x[len(own) :], t[len(own) :], theirs)])

    by_hand.eval = lambda: by_hand
    expected = drawn(model.eval(), away, by_hand)
    found = drawn(model, away, beside(model, other))
    assert (found - expected).norm() / expected.norm() < 1e-5
    assert (found - drawn(model, "null", None)).norm() / expected.norm() > 1e-2
    assert torch.equal(drawn(model, "null", beside(model, other)), drawn(model, "null", None))
    with pytest.raises(ValueError, match="needs the network to guide away from"):
        drawn(model, away, None)


def test_networks_of_other_shapes_stand_not_beside_each_other():
    model = network(run_of("labels"), BASE)
    with pytest.raises(ValueError, match="cannot stand beside each other"):
        beside(model, unconditional(BASE_FILE, replace(model.shape, coordinate_scale=0.5)))


def study_of(tmp_path, *changes: tuple[str, str]):
    text = (ROOT / "studies/smoke.yaml").read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    return reading.load(tmp_path / "study.yaml")


def test_every_method_is_guided_away_from_the_base_and_from_less_training(tmp_path):
    before = Plan(study_of(tmp_path))
    plan = Plan(study_of(tmp_path, ("scale: 1.5}", "scale: 1.5, guidance: [base, auto], auto_steps: 12}")))
    samples = {entry: [] for entry in plan.study.methods}
    for job in plan.kind("sample"):
        samples[job.name.split("/")[1].split("-s0")[0]].append(job)
    for entry, jobs in samples.items():
        guidances = [job.settings["guidance"] for job in jobs]
        assert guidances == [*plan.study.method_settings(entry).guidance, "base", "auto"]
        assert jobs[-1].inputs["other"].settings["train"]["steps"] == 12
        assert work.amounts(jobs[0])["sample"] == work.amounts(jobs[-2])["sample"]  # two passes as well
    assert {job.digest for job in before.kind("sample")} < {job.digest for job in plan.kind("sample")}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ([("weights: base-mini-32", "weights: null")], "base: this study starts from scratch"),
        (
            [("weights: base-mini-32", "weights: base-mini-32-second, null_row: none")],
            "base: base-mini-32-second was trained ",
        ),
        ([("[base]", "[base, auto]")], "auto: goes with auto_steps"),
        ([("[base]", "[auto], auto_steps: 24")], "auto: auto_steps is 24: use fewer than the 24 of training"),
        ([("[base]", "[base, base]")], "base appears twice"),
    ],
)
def test_a_study_without_what_it_is_guided_away_from_is_refused_when_it_is_read(changes, line, tmp_path):
    with pytest.raises(ValueError, match=rf"study\.yaml:\d+: sample\.guidance: {re.escape(line)}"):
        study_of(tmp_path, ("scale: 1.5}", "scale: 1.5, guidance: [base]}"), *changes)


def test_which_row_is_null_is_told_by_the_file_or_else_by_the_study(tmp_path):
    assert read_class_table(BASE_FILE, "none").null_row == 1040  # it tells
    save_file(load_file(BASE_FILE), tmp_path / "published.safetensors")
    rows = {said: read_class_table(tmp_path / "published.safetensors", said).null_row for said in ("last", "none", 3)}
    assert rows == {"last": 1040, "none": None, 3: 3}
    save_file(load_file(BASE_FILE), tmp_path / "own.safetensors", {"finefit": json.dumps({"null_row": None})})
    assert read_class_table(tmp_path / "own.safetensors").null_row is None
    with pytest.raises(ValueError, match=r"row 1041 is to stand for no class \(base.null_row\)"):
        read_class_table(tmp_path / "published.safetensors", 1041)
