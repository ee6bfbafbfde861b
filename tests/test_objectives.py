"""The contract that every file of objectives/ keeps; each loss against its formula; pictures that the base draws."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_methods import interrupted_at
from tiny import BASE, BASE_FILE, ROOT, SAMPLE, answer, fine_tuned, run_of, shaken, trained_tensors

from finefit import objectives, processes
from finefit.deltas.delta import load_delta, save_delta
from finefit.deltas.merge import merged
from finefit.deltas.network import network, unconditional
from finefit.models.shapes import Shape
from finefit.objectives import Material, Networks, diff_tuning, dogfit, plain
from finefit.outlook import cost, work
from finefit.processes.ddpm import Diffusion
from finefit.sampling import source
from finefit.sampling.sample import sample
from finefit.study import reading
from finefit.study.plan import Plan

CHANCE = torch.Generator().manual_seed(0)
LATENTS, NOISE, SOURCE = (torch.randn(4, 4, 8, 8, generator=CHANCE) for _ in range(3))
PART = {"latents": LATENTS, "noise": NOISE, "t": torch.tensor([3, 300, 700, 999]), "places": torch.arange(4)}


def run_by(objective: str, method: str = "difffit") -> dict:
    return run_of(method) | {"objective": {"name": objective}}


@pytest.mark.parametrize("objective", objectives.names())
class TestEveryObjective:
    def test_what_it_adds_is_trained_saved_and_starts_at_the_base(self, objective, latents, tmp_path):
        run = run_by(objective)
        start = network(run, BASE)
        assert torch.equal(answer(start), answer(network(run_of("difffit"), BASE)))
        model, _ = fine_tuned(run, latents, tmp_path)
        changed = {
            name for name, value in start.state_dict().items() if not torch.equal(value, model.state_dict()[name])
        }
        assert {name for name in changed if "y_embedder.scale" in name} == (
            start.trained - network(run_of("difffit"), BASE).trained
        )
        save_delta(tmp_path / "d", trained_tensors(model), run, "base")
        assert torch.equal(answer(load_delta(tmp_path / "d", BASE, "base")), answer(model))

    def test_interruption_changes_nothing(self, objective, latents, tmp_path, monkeypatch):
        if objective == "plain":
            pytest.skip("test_methods.py has it, for every method")
        _, whole = fine_tuned(run_by(objective), latents, tmp_path)
        monkeypatch.setattr("finefit.training.train.SECONDS_BETWEEN_STATES", 0.0)
        monkeypatch.setattr("finefit.training.train.SHARE_FOR_STATES", 1e9)
        (tmp_path / "cut").mkdir()
        with monkeypatch.context() as patched:
            patched.setattr("finefit.training.train.draw", interrupted_at(3))
            with pytest.raises(KeyboardInterrupt):
                fine_tuned(run_by(objective), latents, tmp_path / "cut")
        _, resumed = fine_tuned(run_by(objective), latents, tmp_path / "cut")
        assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def spoken(x: torch.Tensor, t: torch.Tensor, places: torch.Tensor, *scale: torch.Tensor) -> torch.Tensor:
    """A stand-in network: some function of all that it is asked."""
    factor = (1 + places + 10 * (scale[0] if scale else 0)).view(-1, 1, 1, 1)
    return torch.cat([0.1 * factor * x.tanh(), torch.zeros_like(x)], dim=1)


def test_plain_is_the_hybrid_loss_to_the_bit():
    objective, process = plain.Objective(plain.Settings(), Material(10)), Diffusion()
    noised = process.noised(LATENTS, PART["t"], NOISE)
    expected = process.loss(spoken(noised, PART["t"], PART["places"]), LATENTS, noised, PART["t"], NOISE)
    assert torch.equal(objective.losses(PART, Networks(spoken, spoken)), expected)
    columns = {"rows": torch.arange(4), "t": PART["t"]}
    assert objective.vary(columns, CHANCE, 0) == columns


# Diff-Tuning


def test_late_timesteps_are_likelier_in_proportion():
    """Each timestep's part of the uniform numbers is (t + 1) of 500,500."""
    edges = torch.arange(1001, dtype=torch.float64) * torch.arange(1, 1002) / 2 / 500_500
    middle = (edges[1:] + edges[:-1]) / 2
    assert processes.find("ddpm").noisier(middle).tolist() == list(range(1000))
    near = 1e-9
    assert processes.find("ddpm").noisier(edges[1:-1] - near).tolist() == list(range(999))
    assert processes.find("ddpm").noisier(edges[1:-1] + near).tolist() == list(range(1, 1000))


def test_a_fifth_of_a_batch_is_the_bases_own_early_and_without_a_class():
    objective = diff_tuning.Objective(diff_tuning.Settings(), Material(10, null_row=7, source=SOURCE))
    n = 20_000
    drawn = objective.vary({"rows": torch.ones(n, dtype=torch.int64), "t": torch.zeros(n)}, CHANCE, 0)
    own = drawn["source"] >= 0
    assert own.sum() == n // 5 and own[-n // 5 :].all()
    assert set(drawn["rows"][own].tolist()) == {7} and set(drawn["rows"][~own].tolist()) == {1}
    assert set(drawn["source"][own].tolist()) == {0, 1, 2, 3}
    assert drawn["weight"].unique().tolist() == pytest.approx([0.1, 1.0])
    # means of p(t) in proportion to t, and to 1001 - t, for t from 1 to 1000: 667 and 334
    assert drawn["t"][~own].float().mean() == pytest.approx(666, rel=0.02)
    assert drawn["t"][own].float().mean() == pytest.approx(333, rel=0.04)


def test_diff_tunings_loss_is_its_formula():
    objective = diff_tuning.Objective(diff_tuning.Settings(source_weight=0.25), Material(10, 7, SOURCE))
    columns = {"source": torch.tensor([-1, -1, 3, 0]), "weight": torch.tensor([1.0, 1.0, 0.25, 0.25])}
    found = objective.losses(PART | columns, Networks(spoken, spoken))
    mixed = torch.stack([LATENTS[0], LATENTS[1], SOURCE[3], SOURCE[0]])
    hybrid = plain.Objective(plain.Settings(), Material(10)).losses(PART | {"latents": mixed}, Networks(spoken, spoken))
    torch.testing.assert_close(found, hybrid * columns["weight"])


# DogFit


def test_one_in_twenty_scales_lies_above_the_usual_one():
    objective = dogfit.Objective(dogfit.Settings(usual_scale=3.0), Material(steps=10))
    columns = {"t": torch.zeros(40_000, dtype=torch.int64)}
    assert objective.vary(columns, CHANCE, 4) == columns
    scale = objective.vary(columns, CHANCE, 5)["scale"]
    assert scale.min() >= 1
    assert (scale > 3.0).float().mean() == pytest.approx(0.05, abs=0.005)
    assert scale.mean() == pytest.approx(1 + 2 / np.log(20), rel=0.02)  # of an exponential distribution


def test_dogfits_loss_is_its_formula():
    settings = dogfit.Settings(below=0.5)
    objective, process = dogfit.Objective(settings, Material(steps=10)), Diffusion()
    scale, silent = torch.tensor([1.0, 1.5, 2.0, 4.0]), lambda x, t, places: 0 * spoken(x, t, places) + 0.5
    found = objective.losses(PART | {"scale": scale}, Networks(spoken, spoken, silent))
    noised = process.noised(LATENTS, PART["t"], NOISE)
    own = spoken(noised, PART["t"], PART["places"], torch.ones(4))[:, :3]
    factors = torch.tensor([0.0, 0.5, 0.0, 0.0]).view(4, 1, 1, 1)  # (w - 1), and only below timestep 500
    target = torch.cat([NOISE[:, :3] + factors * (own - 0.5), NOISE[:, 3:]], dim=1)
    output = spoken(noised, PART["t"], PART["places"], scale)
    torch.testing.assert_close(found, process.loss(output, LATENTS, noised, PART["t"], target))


def test_a_scale_of_one_is_what_a_network_without_one_is_asked_for():
    model = shaken(network(run_by("dogfit"), BASE))
    x, t, rows = LATENTS.repeat(1, 1, 2, 2), PART["t"], torch.tensor([0, 1, 2, 3])
    with torch.no_grad():
        assert torch.equal(model(x, t, rows), model(x, t, rows, torch.ones(4)))
        assert not torch.equal(model(x, t, rows), model(x, t, rows, torch.full((4,), 2.0)))


def test_learned_guidance_is_one_pass_with_the_scale_as_an_input():
    model, calls = shaken(network(run_by("dogfit"), BASE)), []
    model.register_forward_pre_hook(lambda _, inputs: calls.append((len(inputs[0]), inputs[3].tolist())))
    settings = SAMPLE | {"guidance": "learned", "scale": 2.5, "guidance_interval": (0, 600)}
    sample(model, torch.tensor([0, 3]), torch.tensor([0, 1]), settings, "float32", "cpu")
    assert calls == [(2, [1.0, 1.0]), (2, [2.5, 2.5])]  # the first of two steps lies above the interval
    with pytest.raises(ValueError, match="trained to take a scale"):
        sample(network(run_of("difffit"), BASE), torch.tensor([0]), torch.tensor([0]), settings, "float32", "cpu")


def test_a_network_that_takes_a_scale_folds_into_no_base():
    with pytest.raises(ValueError, match="y_embedder.scale"):
        merged(network(run_by("dogfit"), BASE))


# In a study


def study_of(tmp_path, *entries: str):
    text = (ROOT / "studies/smoke.yaml").read_text(encoding="utf-8")
    methods = "".join(f"  {entry}\n" for entry in entries)
    (tmp_path / "s.yaml").write_text(re.sub(r"methods:\n(  .*\n)+", f"methods:\n{methods}\n", text), encoding="utf-8")
    return reading.load(tmp_path / "s.yaml")


def test_an_objective_is_a_key_of_an_entry_and_its_needs_are_planned_once(tmp_path):
    entries = ["bitfit: {}", "a: {method: bitfit, objective: {name: diff_tuning, pictures: 10, sampling_steps: 2}}"]
    entries += [
        "b: {method: lora, objective: {name: diff_tuning, pictures: 10, sampling_steps: 2, source_weight: 0.5}}"
    ]
    entries += ["c: {method: bitfit, objective: dogfit, guidance: []}", "d: {method: bitfit, objective: plain}"]
    plan = Plan(study_of(tmp_path, *entries))
    runs = {job.name.split("/")[1].split("-s0")[0]: job for job in plan.kind("finetune")}
    (drawn,) = plan.kind("source")
    assert runs["a"].inputs["source"] is runs["b"].inputs["source"] is drawn
    assert "d" not in runs and "source" not in runs["c"].inputs  # plain is what was before: the same run as bitfit's
    assert "objective" not in runs["bitfit"].settings
    assert runs["c"].settings["objective"]["usual_scale"] == 2.0
    samples = {job.name: job for job in plan.kind("sample")}
    assert samples["embedded-32/c-s0-learned-1.5"].inputs["run"] is runs["c"]
    one, two = (
        work.amounts(samples[f"embedded-32/{name}-1.5"])["sample"] for name in ("c-s0-learned", "bitfit-s0-null")
    )
    assert two == 2 * one
    shape = Shape("Mini", 2, 16)
    assert work.amounts(drawn)["sample"] == 10 * 2 * shape.forward_operations
    trained = {name: work.amounts(runs[name])["train"] for name in ("c", "bitfit")}
    assert trained["c"] == trained["bitfit"] * 3 / 2  # two passes in half the steps
    assert cost.disk(drawn) == 10 * 2 * 4 * 16 * 16


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("bitfit: {objective: dogfitt}", "unknown objective 'dogfitt'"),
        ("bitfit: {objective: [dogfit]}", "objective is ['dogfit']: use one of diff_tuning, dogfit, plain"),
        ("bitfit: {objective: {name: dogfit, stort: 0.1}}", "stort: unknown key (did you mean start?)"),
        ("bitfit: {objective: {name: diff_tuning, source_share: 1.0}}", "source_share is 1.0"),
        ("bitfit: {objective: diff_tuning, guidance: []}", "objective diff_tuning trains the null row"),
    ],
)
def test_wrong_objectives_are_one_line_with_file_and_key(entry, line, tmp_path):
    with pytest.raises(ValueError, match=rf"s\.yaml:\d+: methods.bitfit: {re.escape(line)}"):
        study_of(tmp_path, entry)


def test_the_sources_pictures_are_the_bases_own(tmp_path):
    (tmp_path / "base.safetensors").symlink_to(BASE_FILE)
    base = SimpleNamespace(path=tmp_path, settings={"size": "Mini", "patch": 2})
    settings = {"pictures": 70, "steps": 2, "resolution": 32, "codec": {"name": "patch_pca"}}
    source.build(SimpleNamespace(settings=settings, inputs={"base": base}), tmp_path, tmp_path)
    found = np.load(tmp_path / "latents.npy")
    assert found.shape == (70, 4, 16, 16) and found.dtype == np.float16
    model = unconditional(BASE_FILE, Shape("Mini", 2, 16)).requires_grad_(False)
    expected = sample(model, torch.tensor([0, 0]), torch.tensor([0, 69]), SAMPLE, "float32", "cpu")
    assert (torch.from_numpy(found[[0, 69]]).float() - expected).norm() / expected.norm() < 0.05  # as bfloat16 rounds
