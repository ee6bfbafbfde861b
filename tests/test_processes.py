"""Processes: each keeps the contract; the straight path against closed forms; one is not taken for another."""

from __future__ import annotations

import ast
import json
import math
from types import SimpleNamespace

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tiny import BASE, BASE_FILE, ROOT, SAMPLE, TRAIN, run_of, trained_tensors

from finefit import processes
from finefit.analysis.collect import Results
from finefit.analysis.denoising import by_entry
from finefit.deltas.delta import load_delta, save_delta
from finefit.deltas.network import network
from finefit.evaluation.denoising import denoising_losses, fixed_timesteps
from finefit.models.about import about, check_process
from finefit.models.checkpoint import export_base
from finefit.objectives import Material, dogfit, plain
from finefit.sampling.sample import sample
from finefit.study import reading
from finefit.study.passes import evaluations
from finefit.study.plan import Plan
from finefit.training.learning_rate import peak_rates
from finefit.training.train import train

FLOW = processes.find("flow")
ALL = [pytest.param(processes.find(name), id=name) for name in processes.names()]
CHANCE = torch.Generator().manual_seed(0)
X0, NOISE = torch.randn(2, 4, 4, 5, 5, dtype=torch.float64, generator=CHANCE)
MANY = torch.rand(20_000, dtype=torch.float64, generator=CHANCE)


def at(process: processes.Process, *steps: int) -> torch.Tensor:
    return torch.tensor([process.time(step) for step in steps])


def noisiness(process: processes.Process, t: torch.Tensor) -> torch.Tensor:
    return torch.tensor([process.step(one) / 1000 for one in t.tolist()])


# Whatever the process


@pytest.mark.parametrize("process", ALL)
def test_the_schedule_goes_from_picture_to_noise(process):
    assert [process.step(process.time(step)) for step in (0, 1, 500, 998, 999)] == pytest.approx([0, 1, 500, 998, 999])
    first, last = (process.noised(X0, at(process, step).repeat(4), NOISE) for step in (0, 999))
    assert (first - X0).norm() < 0.02 * X0.norm() and (last - NOISE).norm() < 0.02 * NOISE.norm()


@pytest.mark.parametrize("process", ALL)
def test_training_and_its_objectives_draw_times_as_they_say(process):
    """Uniform; in proportion to the noise (mean 2/3), mirrored (1/3); and a share of the schedule from no noise on."""
    t = process.times(20_000, torch.Generator().manual_seed(1))
    assert noisiness(process, t).mean() == pytest.approx(0.5, abs=0.01)
    assert noisiness(process, t).std() == pytest.approx(1 / math.sqrt(12), abs=0.01)
    noisier = process.noisier(MANY)
    assert noisiness(process, noisier).mean() == pytest.approx(2 / 3, abs=0.01)
    assert noisiness(process, process.mirrored(noisier)).mean() == pytest.approx(1 / 3, abs=0.01)
    low = process.least_noisy(t, 0.25)
    assert low.float().mean() == pytest.approx(0.25, abs=0.01)
    assert noisiness(process, t[low]).max() < 0.2501 and noisiness(process, t[~low]).min() > 0.2489
    assert process.least_noisy(t, 1.0).all()


@pytest.mark.parametrize("process", ALL)
def test_a_networks_target_implies_the_picture_and_its_loss_pulls_there(process):
    t, target = at(process, 10, 300, 700, 990), process.target(X0, NOISE)
    xt = process.noised(X0, t, NOISE)
    for n, time in enumerate(t.tolist()):
        implied = process.implied(target[n : n + 1], xt[n : n + 1], time)
        assert torch.cosine_similarity(implied.flatten(1), X0[n : n + 1].flatten(1)) == pytest.approx(1, abs=1e-6)
    output = torch.randn(4, 8, 5, 5, dtype=torch.float64, generator=CHANCE).requires_grad_()
    process.loss(output, X0, xt, t, target).sum().backward()
    pull = 2 * (output.detach()[:, :4] - target) / target[0].numel()
    torch.testing.assert_close(output.grad[:, :4], pull, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "sampler"), [(name, sampler) for name in processes.names() for sampler in processes.find(name).SAMPLERS]
)
def test_samplers_evaluate_as_often_as_is_told_and_begin_where_nothing_may_move(name, sampler):
    process, seen = processes.find(name), []

    def predict(x, t):
        seen.append(t)
        return torch.zeros(1, 2, 1, 1)

    told, x = process.SAMPLERS[sampler], torch.ones(1, 1, 1, 1)
    for steps in (told.least, 7):
        seen.clear()
        assert torch.isfinite(process.sample(sampler, predict, x, steps, lambda: x)).all()
        asked = {"process": name, "sampler": sampler, "steps": steps}
        assert len(seen) == told.evaluations * steps == evaluations(asked)
        assert all(0 <= process.step(t) <= 999 for t in seen)
        assert process.still(x, seen[0]) is not None and all(process.still(x, t) is None for t in seen[1:])


def test_nothing_outside_their_package_names_a_process():
    source = ROOT / "src/finefit"
    for file in source.rglob("*.py"):
        if file.parent.name != "processes":
            tree = ast.parse(file.read_text(encoding="utf-8"))
            named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)} & set(processes.names())
            asked = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
            assert not named | asked & set(processes.names()), file


# The straight path


def gaussian(variance: float):
    """The exact velocity where pictures are N(0, variance): E[x0 - noise | xt], linear in xt."""

    def predict(x, t):
        v = (t * variance - (1 - t)) / (t**2 * variance + (1 - t) ** 2) * x
        return torch.cat([v, torch.zeros_like(v)], dim=1)

    return predict


@pytest.mark.parametrize(("sampler", "order"), [("euler", 1), ("heun", 2)])
def test_samplers_of_the_path_reach_the_exact_scale_with_their_order(sampler, order):
    """Noise becomes a picture by the factor sqrt(variance): the flow of Gaussians only rescales."""
    x = torch.ones(1, 4, 2, 2, dtype=torch.float64)

    def error(steps: int) -> float:
        return abs(FLOW.sample(sampler, gaussian(0.25), x, steps, lambda: x).mean().item() - 0.5)

    assert error(64) < 0.02
    assert math.log2(error(64) / error(128)) == pytest.approx(order, abs=0.15)


def test_the_stochastic_sampler_gives_the_pictures_variance():
    chance = torch.Generator().manual_seed(0)
    noise = lambda: torch.randn(64, 4, 8, 8, generator=chance)  # noqa: E731
    assert FLOW.sample("sde", gaussian(0.25), noise(), 100, noise).var().item() == pytest.approx(0.25, rel=0.05)


def test_the_paths_own_equations():
    t = torch.tensor([0.0, 0.3, 0.5, 1.0])
    xt, v = FLOW.noised(X0, t, NOISE), FLOW.target(X0, NOISE)
    along = t.double().view(4, 1, 1, 1)
    torch.testing.assert_close(xt - along * v, NOISE)
    torch.testing.assert_close(xt + (1 - along) * v, X0)
    half = torch.cat([v + 0.5, 7 * v], dim=1)  # what stands in the variance's place counts nothing
    assert FLOW.loss(half, X0, xt, t, v).tolist() == pytest.approx([0.25] * 4)


def test_the_held_out_loss_of_a_network_that_knows_nothing_is_that_of_the_velocity():
    losses = denoising_losses(
        lambda x, t, labels: torch.zeros(len(x), 8, 5, 5), X0.float(), torch.arange(4), fixed_timesteps(4), process=FLOW
    )
    assert losses.mean() == pytest.approx(1 + X0.square().mean().item(), rel=0.1)


# A run by it


def flow_run(method: str) -> dict:
    run = run_of(method)
    return run | {"network": run["network"] | {"process": "flow"}}


def test_a_run_by_the_path_trains_and_is_drawn(latents, tmp_path):
    model = network(flow_run("difffit"), BASE)
    objective = plain.Objective(plain.Settings(), Material(TRAIN["steps"], process=FLOW))
    seen = []
    model.t_embedder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    rates = peak_rates(model, 1e-3, {})
    train(model, rates, latents, SimpleNamespace(**TRAIN), ["null"], 0, tmp_path / "state", objective=objective)
    times = torch.cat(seen)
    assert times.is_floating_point() and 0 <= times.min() and times.max() <= 1 and len(times.unique()) == 16
    settings = SAMPLE | {"process": "flow", "sampler": "heun", "guidance": "null", "scale": 2.0}
    drawn = sample(model, torch.tensor([0, 3]), torch.tensor([0, 0]), settings, "float32", "cpu")
    assert torch.isfinite(drawn).all() and not torch.equal(drawn[0], drawn[1])


def test_dogfits_target_is_the_guided_velocity():
    objective = dogfit.Objective(dogfit.Settings(below=0.5, guided_channels=4), Material(10, process=FLOW))
    t, scale = torch.tensor([0.2, 0.4, 0.6, 0.8]), torch.tensor([2.0, 3.0, 2.0, 3.0])
    part = {"latents": X0, "noise": NOISE, "t": t, "places": torch.arange(4), "scale": scale}
    zero, one = (lambda *inputs, value=value: torch.full((4, 8, 5, 5), value) for value in (0.0, 1.0))
    found = objective.losses(part, SimpleNamespace(tuned=zero, averaged=one, base=zero))
    further = torch.tensor([0.0, 0.0, 1.0, 2.0]).view(4, 1, 1, 1)  # w - 1 in the half that is nearer to pictures
    torch.testing.assert_close(found, (X0 - NOISE + further).square().flatten(1).mean(1))


# One is not taken for another

CONTINUED = {"process": "flow", "weights_process": "ddpm"}


def content(**base) -> dict:
    found = yaml.safe_load((ROOT / "studies/smoke.yaml").read_text(encoding="utf-8"))
    found["base"] |= base
    return found


def test_a_process_enters_a_jobs_settings_only_where_it_is_not_the_default():
    usual, named = (Plan(reading.parse(content(**base), "a.yaml")) for base in ({}, {"process": "ddpm"}))
    assert [job.digest for job in usual.jobs] == [job.digest for job in named.jobs]
    assert "process" not in json.dumps([job.settings for job in usual.jobs])
    other = content(**CONTINUED)
    other["sample"] |= {"sampler": "heun"}
    plan = Plan(reading.parse(other, "a.yaml"))
    for kind, place in (("base", ()), ("finetune", ("network",)), ("sample", ())):
        for job in plan.kind(kind):
            settings = job.settings
            for key in place:
                settings = settings[key]
            assert settings["process"] == "flow", job.name
    known, shared = {job.digest for job in usual.jobs}, {"data", "hierarchy", "latents", "reference", "judge"}
    assert {job.kind for job in plan.jobs if job.digest in known} == shared


@pytest.mark.parametrize(
    ("base", "sample_", "line"),
    [
        ({"process": "flwo"}, {}, "base.process: unknown process 'flwo' (did you mean flow?): use one of ddpm, flow"),
        ({"process": "flow"}, {"sampler": "heun"}, "was trained by process ddpm, and the study takes it for flow"),
        ({}, {"sampler": "heun"}, "sample.sampler: 'heun' is none of dpmpp, ddim, ancestral"),
        (
            {"process": "flow", "weights_process": "ddpm"},
            {"sampler": "dpmpp"},
            "sample.sampler: 'dpmpp' is none of heun, euler, sde",
        ),
        (
            {"process": "flow", "weights_process": "ddpm"},
            {"sampler": "heun", "evaluate_every": 2},
            "sample.evaluate_every: heun evaluates the network 2 times a step",
        ),
        (
            CONTINUED,
            {"sampler": "heun", "guidance": ["base"]},
            "sample.guidance: base: this study's base was trained by another process",
        ),
    ],
)
def test_a_study_that_mistakes_a_process_is_refused_when_it_is_read(base, sample_, line):
    wrong = content(**base)
    wrong["sample"] |= {"steps": 4} | sample_
    with pytest.raises(ValueError) as told:  # noqa: PT011
        reading.parse(wrong, "a.yaml")
    assert line in str(told.value) and len(str(told.value).splitlines()) == 1


FLOW_BASE = {"weights": "base-mini-32-flow", "process": "flow"}


def study_of(methods: dict, **base) -> dict:
    found = content(**base) | {"methods": methods}
    found["sample"] |= {"sweep": {}}
    return found


def test_an_entry_from_another_base_is_the_run_of_a_study_from_it():
    """The same jobs, to the digest, beside those of the study's own base; only its own base's loss is compared."""
    own, other = {"steps": 7}, {"method": "difffit", "base": FLOW_BASE, "sampler": "euler"}
    mixed = Plan(reading.parse(study_of({"bitfit": own, "difffit": other}), "a.yaml"))
    alone = study_of({"difffit": {}}, **FLOW_BASE)
    alone["sample"] |= {"sampler": "euler"}
    known = {job.digest: job for job in mixed.jobs}
    kinds = {"base", "finetune", "sample", "denoise", "evaluate"}
    for job in Plan(reading.parse(alone, "a.yaml")).jobs:
        assert job.digest in known or job.kind not in kinds, job.name
    found = Results(mixed)
    rows = found.evaluations.set_index("entry")
    assert "denoising_loss" in rows.loc["difffit", "absent"] and not rows.loc["bitfit", "absent"]
    assert [job.inputs["base"] is mixed.base for job in found.denoising_of_base.values()] == [True]
    assert len([job for job in mixed.kind("denoise") if "base" in job.inputs]) == 2
    assert [row["entry"] for row in by_entry(found, "embedded-32")] == ["bitfit"]


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"base": FLOW_BASE}, "methods.full: sampler: 'ddim' is none of heun, euler, sde"),
        ({"base": {"process": "flow"}}, "methods.full: base.process: "),
        ({"base": {"weights": "base-mini-23"}}, "methods.full: base.weights: "),
        ({"base": {"wieghts": "base-mini-32"}}, "methods.full: base.wieghts: "),
        ({"base": "base-mini-32"}, "methods.full: base is 'base-mini-32': name what differs"),
        ({"base": {"size": "Mega"}}, "methods.full: base.size: 'Mega' is none of"),
        ({"base": {"patch": 32}}, "resolutions: 32 is no multiple of 64"),
        ({"sampler": "euler"}, "methods.full: sampler: 'euler' is none of dpmpp, ddim, ancestral"),
        ({"sampler": 3}, "methods.full: sampler is 3: give one"),
    ],
)
def test_an_entry_that_mistakes_its_base_is_refused_when_it_is_read(entry, line):
    with pytest.raises(ValueError) as told:  # noqa: PT011
        reading.parse(study_of({"full": entry}), "a.yaml")
    assert line in str(told.value) and len(str(told.value).splitlines()) == 1


def test_a_base_tells_its_process_and_is_refused_under_another(tmp_path):
    told = {"finefit": json.dumps({"null_row": 1040, "process": "flow"})}
    save_file(load_file(BASE_FILE), tmp_path / "flow.safetensors", told)
    check_process(tmp_path / "flow.safetensors", {"process": "flow"})
    check_process(BASE_FILE, {})
    with pytest.raises(ValueError, match="trained by process flow, and the study takes it for ddpm"):
        check_process(tmp_path / "flow.safetensors", {})
    save_file(load_file(BASE_FILE), tmp_path / "others.safetensors")
    check_process(tmp_path / "others.safetensors", {"process": "flow"})  # tells nothing


@pytest.mark.parametrize("process", [{}, {"process": "flow"}])
def test_an_exported_base_tells_its_process_where_it_is_not_the_default(process, tmp_path):
    (tmp_path / "classes.csv").write_text("class_name\na\n")
    (tmp_path / "run.json").write_text("{}")
    data = SimpleNamespace(path=tmp_path)
    run = SimpleNamespace(
        inputs={"latents": SimpleNamespace(inputs={"data": data})}, digest="0", marker=tmp_path / "run.json",
        settings={"network": {"size": "Mini", "patch": 2} | process},
    )  # fmt: skip
    export_base(run, tmp_path / "base.safetensors", network(run_of("full"), BASE))
    assert about(tmp_path / "base.safetensors").get("process") == process.get("process")


def test_a_delta_of_one_process_is_refused_under_the_other(tmp_path):
    """The same weights, taken for two processes, are two bases; the message names the process."""
    other = content(**CONTINUED)
    other["sample"]["sampler"] = "heun"
    bases = [Plan(reading.parse(given, "a.yaml")).base.digest for given in (content(), other)]
    run = flow_run("difffit")
    save_delta(tmp_path / "delta.safetensors", trained_tensors(network(run, BASE)), run, bases[1])
    assert load_delta(tmp_path / "delta.safetensors", BASE, bases[1]).trained
    with pytest.raises(ValueError, match="a delta of process flow fits its own base only"):
        load_delta(tmp_path / "delta.safetensors", BASE, bases[0])
