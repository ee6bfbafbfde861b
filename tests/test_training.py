"""Codec, latents, methods, training and sampling through their public interfaces, on tiny data."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from finefit import methods
from finefit.codecs import patch_pca
from finefit.datasets import embedded
from finefit.finetune import parameter_groups
from finefit.latents import Pack, pack
from finefit.models import checkpoint
from finefit.sample import sample
from finefit.train import batch_rows, train

ROOT = Path(__file__).parents[1]
CODEC, BASE = ROOT / "data/base/patch-pca-2.safetensors", ROOT / "data/base/mini-32.safetensors"
TRAIN = SimpleNamespace(
    steps=4,
    batch_size=4,
    schedule="constant",
    warmup_steps=0,
    weight_decay=0.0,
    label_dropout=0.5,
    ema_decay=0.9,
    flip=True,
    precision="float32",
)
SAMPLE = {"seed": 0, "sampler": "dpmpp", "steps": 2, "guidance": "none", "scale": 1.0, "guided_channels": 3}


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    settings = embedded.Settings(classes=4, train_per_class=4, test_per_class=1)
    return embedded.read(embedded.index(settings, None).query("split == 'train'"), 32, settings, None)


@pytest.fixture(scope="module")
def latents(pictures, tmp_path_factory) -> Pack:
    folder = tmp_path_factory.mktemp("pack")
    pack(folder, lambda start, stop: pictures[start:stop], np.repeat(np.arange(4), 4), patch_pca.load(CODEC))
    return Pack(folder)


def run_of(method: str, **settings) -> dict:
    """A run's description on four classes in two superclasses."""
    return {
        "method": method,
        "method_settings": {"lr": 1e-3} | settings,
        "network": {"size": "Mini", "patch": 2},
        "seed": 0,
        "num_classes": 4,
        "superclass_of": [0, 0, 1, 1],
        "latent_shape": [4, 16, 16],
    }


def fine_tuned(run: dict, latents: Pack, folder: Path, steps: int = 4) -> tuple[torch.nn.Module, dict]:
    model = checkpoint.network(run, BASE)
    groups = parameter_groups(model, 1e-3, run["method_settings"].get("lr_multipliers", {}))
    references = methods.find(run["method"]).Settings(**run["method_settings"]).guidance
    average, _ = train(
        model, groups, latents, SimpleNamespace(**vars(TRAIN) | {"steps": steps}), references, 0, folder / "s"
    )
    return model, average


def decibels(images: torch.Tensor, others: torch.Tensor) -> float:
    return (10 * torch.log10(255**2 / (others.float() - images.float()).square().mean())).item()


def test_decoder_restores_more_than_the_components_hold(pictures):
    """The refined reconstruction is at least 1 dB better than the best linear one from the same four components."""
    codec = patch_pca.load(CODEC)
    images = torch.tensor(pictures)
    latents, deviation = codec.encode(images)
    assert deviation is None and latents.shape == (16, 4, 16, 16)
    refined = decibels(images, codec.decode(latents))
    torch.nn.init.zeros_(codec.refine[-1].weight)
    torch.nn.init.zeros_(codec.refine[-1].bias)
    assert refined > decibels(images, codec.decode(latents)) + 1 > 20


def test_components_are_those_of_scikit_learn(pictures):
    from sklearn.decomposition import PCA

    codec = patch_pca.PatchPCA()
    patch_pca.fit_components(codec, torch.tensor(pictures))
    patches = torch.nn.functional.pixel_unshuffle(torch.tensor(pictures).permute(0, 3, 1, 2) / 127.5 - 1, 2)
    expected = PCA(4).fit(patches.permute(0, 2, 3, 1).reshape(-1, 12).double().numpy())
    cosines = np.abs((codec.components.numpy() * expected.components_).sum(1))
    assert np.allclose(cosines, 1, atol=1e-5)
    assert np.allclose(codec.scale.numpy() ** 2, expected.explained_variance_, rtol=1e-3)


def test_pack_gives_rows_flips_and_order(pictures, latents):
    codec = patch_pca.load(CODEC)
    rows, flips = np.array([5, 0, 5]), np.array([1, 0, 0])
    got = latents.sample(rows, flips, torch.zeros(3, 4, 16, 16))
    views = np.stack([pictures[5][:, ::-1], pictures[0], pictures[5]])
    assert torch.allclose(got, codec.encode(torch.tensor(views.copy()))[0], atol=5e-3)
    assert latents.labels.tolist() == np.repeat(np.arange(4), 4).tolist()


def test_pack_with_a_posterior_draws_from_it(pictures, tmp_path):
    class Noisy:
        def encode(self, images):
            mean = torch.ones(len(images), 4, 2, 2)
            return 3 * mean, 0.5 * mean

    pack(tmp_path / "p", lambda start, stop: pictures[start:stop], np.zeros(16), Noisy())
    drawn = Pack(tmp_path / "p").sample(np.arange(16), np.zeros(16, int), torch.full((16, 4, 2, 2), 2.0))
    assert torch.equal(drawn, torch.full((16, 4, 2, 2), 4.0))


def test_interrupted_packing_keeps_whole_shards(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("finefit.latents.SHARD_ROWS", 8)
    monkeypatch.setattr("finefit.latents.BATCH", 4)
    reads = []

    def read(start, stop, limit=12):
        reads.append(start)
        if start >= limit:
            raise KeyboardInterrupt
        return pictures[start:stop]

    codec = patch_pca.load(CODEC)
    with pytest.raises(KeyboardInterrupt):
        pack(tmp_path, read, np.zeros(16), codec)
    reads.clear()
    pack(tmp_path, lambda start, stop: read(start, stop, 99), np.zeros(16), codec)
    assert reads == [8, 12] and Pack(tmp_path).count == 16


def test_every_epoch_sees_every_picture_once():
    rows = np.concatenate([batch_rows(10, 4, 0, step) for step in range(5)])
    assert sorted(rows[:10]) == sorted(rows[10:]) == list(range(10))
    assert rows[:10].tolist() != rows[10:].tolist()


@pytest.mark.parametrize("method", methods.names())
class TestEveryMethod:
    """The contract: found by file, without being told of any."""

    def test_only_what_it_names_is_trained(self, method, latents, tmp_path):
        before = checkpoint.network(run_of(method), BASE)
        after, _ = fine_tuned(run_of(method), latents, tmp_path)
        start, end = before.state_dict(), after.state_dict()
        changed = {name for name in start if not torch.equal(start[name], end[name])}
        assert changed <= after.trained
        assert {name for name, p in after.named_parameters() if p.requires_grad} == after.trained
        assert len(changed) > 0.9 * len(after.trained)

    def test_it_starts_at_the_base(self, method):
        """With one and the same class table, the output at step 0 is the base's, bit for bit."""
        plain = checkpoint.network(run_of("full", guidance=(), embedder="tiered"), BASE)
        model = checkpoint.network(run_of(method, guidance=(), embedder="tiered"), BASE)
        model.y_embedder.load_state_dict(plain.y_embedder.state_dict())
        x, t, rows = torch.randn(2, 4, 16, 16), torch.tensor([3, 900]), torch.tensor([0, 5])
        assert torch.equal(model(x, t, rows), plain(x, t, rows))

    def test_delta_gives_the_model_back(self, method, latents, tmp_path):
        run = run_of(method)
        model, _ = fine_tuned(run, latents, tmp_path)
        last = {name: value for name, value in model.named_parameters() if name in model.trained}
        checkpoint.save_delta(tmp_path / "d", last, run, "base")
        again = checkpoint.load_delta(tmp_path / "d", BASE, "base")
        x, t, rows = torch.randn(2, 4, 16, 16), torch.tensor([3, 900]), torch.tensor([0, 3])
        assert torch.equal(again.eval()(x, t, rows), model.eval()(x, t, rows))

    def test_interruption_changes_nothing(self, method, latents, tmp_path, monkeypatch):
        _, whole = fine_tuned(run_of(method), latents, tmp_path)
        monkeypatch.setattr("finefit.train.STEPS_PER_RECORD", 1)
        monkeypatch.setattr("finefit.train.SECONDS_BETWEEN_STATES", 0.0)
        monkeypatch.setattr("finefit.train.SHARE_FOR_STATES", 1e9)
        (tmp_path / "cut").mkdir()
        monkeypatch.setattr("finefit.train.draw", stopping_at(2))
        with pytest.raises(KeyboardInterrupt):
            fine_tuned(run_of(method), latents, tmp_path / "cut")
        monkeypatch.setattr("finefit.train.draw", stopping_at(99))
        _, resumed = fine_tuned(run_of(method), latents, tmp_path / "cut")
        assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def stopping_at(limit: int):
    """`train.draw`, interrupted at a step."""
    from finefit.train import draw as original

    real = getattr(original, "real", original)

    def draw(pack, settings, seed, step, device):
        if step == limit:
            raise KeyboardInterrupt
        return real(pack, settings, seed, step, device)

    draw.real = real
    return draw


def test_delta_of_another_base_is_refused(tmp_path):
    run = run_of("bitfit")
    model = checkpoint.network(run, BASE)
    checkpoint.save_delta(tmp_path / "d", {n: p for n, p in model.named_parameters() if n in model.trained}, run, "one")
    with pytest.raises(ValueError, match="made on base one, not on two"):
        checkpoint.load_delta(tmp_path / "d", BASE, "two")


def test_base_of_another_size_is_refused():
    run = run_of("full") | {"network": {"size": "S", "patch": 2}}
    with pytest.raises(ValueError, match=r"mini-32.safetensors: does not fit.*base\.size"):
        checkpoint.network(run, BASE)


def test_block_range_outside_the_network_is_refused():
    with pytest.raises(ValueError, match=r"blocks is \[1, 7\]: the network has blocks 1 to 6"):
        checkpoint.network(run_of("difffit", blocks=(1, 7)), BASE)


def test_learning_rate_multipliers_make_groups():
    model = checkpoint.network(run_of("difffit"), BASE)
    groups = parameter_groups(model, 1e-3, {"gamma": 10.0})
    assert sorted(group["lr"] for group in groups) == [1e-3, 1e-2]
    assert sum(len(group["params"]) for group in groups) == len(model.trained)
    with pytest.raises(ValueError, match="lr_multipliers.gama"):
        parameter_groups(model, 1e-3, {"gama": 2.0})


def test_labels_are_dropped_to_each_reference_with_its_probability():
    embedder = checkpoint.network(run_of("finediffusion", guidance=("superclass", "null")), BASE).y_embedder
    labels = torch.tensor([0, 1, 2, 3]).repeat(250)
    uniform = torch.arange(1000) / 1000
    rows = embedder.drop(labels, ["superclass", "null"], 0.1, uniform)
    assert torch.equal(rows[:100], 4 + torch.tensor([0, 0, 1, 1]).repeat(25))
    assert set(rows[100:200].tolist()) == {6}
    assert torch.equal(rows[200:], labels[200:])


def test_flat_table_cannot_guide_by_superclass():
    embedder = checkpoint.network(run_of("bitfit"), BASE).y_embedder
    with pytest.raises(ValueError, match="needs a tiered embedder"):
        embedder.reference_rows(torch.tensor([0]), "superclass")


def test_a_picture_does_not_depend_on_its_batch():
    model = checkpoint.network(run_of("finediffusion"), BASE)
    labels, numbers = torch.tensor([0, 1, 2]), torch.tensor([0, 0, 7])
    settings = SAMPLE | {"guidance": "superclass", "scale": 2.0}
    together = sample(copy.deepcopy(model), labels, numbers, settings, "float32", "cpu")
    alone = sample(model, labels[2:], numbers[2:], settings, "float32", "cpu")
    assert torch.allclose(together[2:], alone, atol=1e-4)


def test_training_and_sampling_need_only_torch_numpy_and_safetensors():
    """A rented GPU may have nothing else: every other package is hidden from a fresh interpreter."""
    code = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pandas", "pydantic", "yaml", "typer", "diffusers", "dvc", "snakemake", "PIL"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hidden())
import finefit.train, finefit.sample, finefit.models.checkpoint, finefit.methods, finefit.latents, finefit.samplers
for name in finefit.methods.names():
    finefit.methods.find(name)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
