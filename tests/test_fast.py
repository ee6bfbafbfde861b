"""The fast path beside a plain one: bfloat16, frozen storage, recomputation, row-wise updates, shared sampling."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import BASE, CODEC, SAMPLE, TRAIN, answer, run_of, shaken

from finefit.codecs import patch_pca
from finefit.deltas.network import network
from finefit.jobs import devices, ranks, stopping, store
from finefit.jobs.devices import store_frozen_as_bfloat16
from finefit.jobs.job import Job
from finefit.models.shapes import CLASS_TABLE
from finefit.objectives import Material, plain
from finefit.processes.ddpm import Diffusion
from finefit.sampling import networks, sample
from finefit.training import train
from finefit.training.learning_rate import peak_rates, share_of_peak


def trained(latents, folder, method="finediffusion", references=("superclass",), **settings):
    """Losses of every step, and averages, of a short run."""
    folder.mkdir()
    model = network(run_of(method), BASE)
    chosen = SimpleNamespace(**TRAIN | settings)
    average, record = train.train(
        model, peak_rates(model, 1e-3, {}), latents, chosen, list(references), 0, folder / "state"
    )
    return [row["loss"] for row in record], average


@pytest.fixture
def every_step(monkeypatch):
    """A record at every step."""
    monkeypatch.setattr(train, "STEPS_PER_RECORD", 1)


def test_losses_in_bfloat16_are_those_of_float32_within_its_rounding(latents, tmp_path, every_step):
    """Relative to float32: every loss within 2 %, five times bfloat16's unit roundoff of 2^-8."""
    exact, _ = trained(latents, tmp_path / "exact")
    rounded, _ = trained(latents, tmp_path / "rounded", precision="bfloat16")
    assert np.abs(np.array(rounded) / exact - 1).max() < 0.02
    assert rounded != exact


def test_gradients_in_bfloat16_point_where_those_of_float32_do(latents):
    """Relative error of the whole gradient below 5 %; of a network in which every factor and table already moved."""

    def gradient(precision: str) -> torch.Tensor:
        model = shaken(network(run_of("difffit"), BASE))
        if precision == "bfloat16":
            store_frozen_as_bfloat16(model)
        diffusion, generator = Diffusion(), torch.Generator().manual_seed(0)
        x0 = latents.sample(np.arange(16), np.zeros(16, int), torch.zeros(16, 4, 16, 16))
        noise, t = torch.randn(x0.shape, generator=generator), torch.randint(1000, (16,), generator=generator)
        noised = diffusion.noised(x0, t, noise)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            output = model(noised, t, latents.labels)
        diffusion.loss(output.float(), x0, noised, t, noise).mean().backward()
        return torch.cat([p.grad.flatten() for name, p in model.named_parameters() if name in model.trained])

    exact, rounded = gradient("float32"), gradient("bfloat16")
    assert 0 < (rounded - exact).norm() / exact.norm() < 0.05


@pytest.mark.parametrize("method", ["finediffusion", "lora", "adaptformer"])
def test_frozen_matrices_kept_in_bfloat16_change_no_number_of_autocast(method):
    model = shaken(network(run_of(method), BASE))
    with torch.autocast("cpu", torch.bfloat16):
        before = answer(model)
        store_frozen_as_bfloat16(model)
        assert torch.equal(answer(model), before)
    halved = [name for name, value in model.named_parameters() if value.dtype == torch.bfloat16]
    assert sum(dict(model.named_parameters())[name].numel() for name in halved) > 4e6  # nearly the whole network
    assert not model.trained & set(halved)


def test_recomputed_activations_give_the_same_bits(latents, tmp_path):
    _, kept = trained(latents, tmp_path / "kept")
    _, recomputed = trained(latents, tmp_path / "recomputed", recompute=True)
    assert all(torch.equal(kept[name], recomputed[name]) for name in kept)


def test_a_hundred_steps_with_row_wise_updates_are_those_of_dense_adam(latents, tmp_path, every_step):
    """Plain loop: dense AdamW over everything, dense average. Losses equal to 1e-4, averages to 1e-3 in norm.

    Two pictures of four classes a step: most steps leave two or three of the six rows waiting.
    """
    settings = TRAIN | {"steps": 100, "batch_size": 2, "schedule": "cosine", "warmup_steps": 10, "label_dropout": 0.1}
    losses, average = trained(latents, tmp_path / "ours", **settings)

    model, chosen, diffusion = network(run_of("finediffusion"), BASE), SimpleNamespace(**settings), Diffusion()
    parameters = {name: value for name, value in model.named_parameters() if name in model.trained}
    expected = {name: value.detach().clone() for name, value in parameters.items()}
    optimizer = torch.optim.AdamW(parameters.values(), lr=1.0, weight_decay=0.0)
    objective = plain.Objective(plain.Settings(), Material(100))
    for step in range(100):
        rows, batch = train.draw(latents, model.y_embedder, ["superclass"], chosen, 0, step, "cpu", objective)
        noised = diffusion.noised(batch["latents"], batch["t"], batch["noise"])
        output = model(noised, batch["t"], rows[batch["places"]])
        loss = diffusion.loss(output, batch["latents"], noised, batch["t"], batch["noise"]).mean()
        assert losses[step] == pytest.approx(loss.item(), rel=1e-4)
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.param_groups[0]["lr"] = 1e-3 * share_of_peak(chosen, step)
        optimizer.step()
        for name, value in parameters.items():
            expected[name].lerp_(value.detach(), 1 - min(0.9, (1 + step) / (10 + step)))
    for name in (CLASS_TABLE, "final_layer.linear.bias"):
        start = dict(network(run_of("finediffusion"), BASE).named_parameters())[name]
        assert (average[name] - expected[name]).norm() < 1e-3 * (expected[name] - start).norm()


def test_the_class_table_alone_can_be_trained(latents, tmp_path):
    _, average = trained(latents, tmp_path / "labels", method="labels", references=["null"])
    assert average.keys() == {CLASS_TABLE}


@pytest.mark.parametrize(("asked", "used"), [("float32", "float32"), ("bfloat16", "bfloat16"), ("auto", None)])
def test_provenance_says_in_which_precision_the_network_ran(asked, used):
    run = Job("finetune", "run", {"train": {"precision": asked}})
    drawn = Job("sample", "drawn", {"seed": 0}, {"run": run})
    here = "bfloat16" if devices.uses_bfloat16("auto", devices.device_here()) else "float32"
    assert [store.precision(job) for job in (run, drawn)] == [used or here] * 2
    assert store.precision(Job("denoise", "base", {}, {"base": run})) == here
    assert store.precision(Job("evaluate", "scores", {}, {"sample": drawn})) is None


@pytest.mark.parametrize(("amx", "avx512", "units"), [(1, 1, True), (0, 1, True), (0, 0, False)])
def test_auto_is_bfloat16_where_the_processor_multiplies_it(amx, avx512, units, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: bool(amx))
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bool(avx512))
    devices.cpu_has_bfloat16_matrices.cache_clear()
    try:
        assert devices.uses_bfloat16("auto", "cpu") is units
        assert not devices.uses_bfloat16("float32", "cpu") and devices.uses_bfloat16("bfloat16", "cpu")
    finally:
        devices.cpu_has_bfloat16_matrices.cache_clear()


def sampling_job() -> SimpleNamespace:
    """What `sample_batches` reads of a job: five batches of a network that no file holds."""
    run = SimpleNamespace(settings={"train": {"precision": "float32"}})
    return SimpleNamespace(settings=SAMPLE | {"per_class": 5, "batch_size": 4, "codec": {}}, inputs={"run": run})


def sample_into(folder) -> None:
    """Sample the job's batches, its network and codec given."""
    torch.set_num_threads(1)
    networks.load_run = lambda run: shaken(network(run_of("finediffusion"), BASE))
    sample.codecs = SimpleNamespace(load=lambda settings: patch_pca.load(CODEC))
    sample.sample_batches(sampling_job(), folder)


def test_samples_do_not_depend_on_ranks_or_on_being_interrupted(tmp_path, monkeypatch):
    for module, name in ((networks, "load_run"), (sample, "codecs")):
        monkeypatch.setattr(module, name, getattr(module, name))  # put back after the runs in this process
    folders = [tmp_path / name for name in ("one", "two", "cut")]
    for folder in folders:
        folder.mkdir()
    ranks.launch(sample_into, 1, folders[0])
    ranks.launch(sample_into, 2, folders[1])
    answers = iter([False, True])
    monkeypatch.setattr("finefit.jobs.stopping.asked", lambda: next(answers))
    with pytest.raises(stopping.ToBeContinued):
        sample_into(folders[2])
    assert len(list(folders[2].glob("batch-*.npz"))) == 2
    monkeypatch.setattr("finefit.jobs.stopping.asked", lambda: False)
    sample_into(folders[2])
    whole, *others = ([np.load(path) for path in sorted(folder.glob("batch-*.npz"))] for folder in folders)
    assert np.concatenate([batch["labels"] for batch in whole]).tolist() == np.repeat(np.arange(4), 5).tolist()
    for batches in others:
        assert len(batches) == len(whole) == 5
        assert all(np.array_equal(a["images"], b["images"]) for a, b in zip(whole, batches, strict=True))
