"""Codec, latents, methods, training and sampling through their public interfaces, on tiny data."""

from __future__ import annotations

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from tiny import BASE, CODEC, ROOT, SAMPLE, run_of

from finefit.codecs import patch_pca, patch_pca_fit
from finefit.deltas.network import network
from finefit.diffusion.predict import guided
from finefit.latents.encode import pack
from finefit.latents.pack import Pack
from finefit.metrics import probe
from finefit.sampling.sample import sample
from finefit.training.batches import batch_rows
from finefit.training.label_dropout import drop_labels
from finefit.training.learning_rate import peak_rates


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
    patch_pca_fit.fit_components(codec, torch.tensor(pictures))
    patches = torch.nn.functional.pixel_unshuffle(torch.tensor(pictures).permute(0, 3, 1, 2) / 127.5 - 1, 2)
    expected = PCA(4).fit(patches.permute(0, 2, 3, 1).reshape(-1, 12).double().numpy())
    cosines = np.abs((codec.components.numpy() * expected.components_).sum(1))
    assert np.allclose(cosines, 1, atol=1e-5)
    assert np.allclose(codec.scale.numpy() ** 2, expected.explained_variance_, rtol=1e-3)


def test_codec_of_photographs_has_the_latents_of_that_of_drawings(pictures):
    """So a base of one is a base of the other; only what decoding adds to the components differs."""
    drawings, photographs = (patch_pca.load(file) for file in (CODEC, ROOT / "data/base/codec-photo.safetensors"))
    images = torch.tensor(pictures)
    latents = drawings.encode(images)[0]
    assert torch.equal(latents, photographs.encode(images)[0])
    assert not torch.equal(drawings.decode(latents), photographs.decode(latents))


def test_perceptual_loss_is_the_distance_of_unit_vectors_of_every_level(pictures):
    """As scikit-learn's and numpy's arithmetic has it, of pictures cut alike by less than four pixels."""
    from sklearn.preprocessing import normalize

    torch.manual_seed(0)
    network, images = probe.Probe(4, 8).eval(), torch.tensor(pictures).permute(0, 3, 1, 2) / 127.5 - 1
    others = images.flip(0)
    torch.manual_seed(1)
    top, left = torch.randint(0, 4, (2,)).tolist()
    expected = 0.0
    with torch.no_grad():
        cut = [batch[:, :, top : top + 28, left : left + 28].permute(0, 2, 3, 1) for batch in (images, others)]
        levels = [network.activations((batch + 1) * 127.5) for batch in cut]
        for pair in zip(*levels, strict=True):
            one, other = (normalize(level.permute(0, 2, 3, 1).flatten(0, 2).numpy()) for level in pair)
            expected += ((one - other) ** 2).sum(1).mean()
        torch.manual_seed(1)
        assert patch_pca_fit.perceptual_loss(network, images, others).item() == pytest.approx(expected, rel=1e-4)
        assert patch_pca_fit.perceptual_loss(network, images, images) == 0


def test_a_correction_that_a_classifier_looks_at_is_another(pictures):
    """And is better than none: it restores what the components alone do not hold."""
    torch.manual_seed(0)
    network, images, fitted = probe.Probe(4, 8).eval(), torch.tensor(pictures), []
    for seen_by in (None, network):
        torch.manual_seed(0)
        codec = patch_pca_fit.fit_correction(patch_pca.load(CODEC), images, steps=5, seen_by=seen_by)
        fitted.append(codec.decode(codec.encode(images)[0]))
    torch.nn.init.zeros_(codec.refine[-1].weight)
    torch.nn.init.zeros_(codec.refine[-1].bias)
    assert not torch.equal(*fitted)
    assert decibels(images, fitted[1]) > decibels(images, codec.decode(codec.encode(images)[0]))


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
    monkeypatch.setattr("finefit.latents.encode.SHARD_ROWS", 8)
    monkeypatch.setattr("finefit.latents.encode.BATCH", 4)
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


def test_learning_rate_multipliers_go_by_name():
    model = network(run_of("difffit"), BASE)
    rates = peak_rates(model, 1e-3, {"gamma": 10.0})
    assert rates.keys() == model.trained
    assert {name for name, rate in rates.items() if rate == 1e-2} == {name for name in rates if "gamma" in name}
    assert set(rates.values()) == {1e-3, 1e-2}
    with pytest.raises(ValueError, match="lr_multipliers.gama"):
        peak_rates(model, 1e-3, {"gama": 2.0})


def test_labels_are_dropped_to_each_reference_with_its_probability():
    embedder = network(run_of("finediffusion", guidance=("superclass", "null")), BASE).y_embedder
    labels = torch.tensor([0, 1, 2, 3]).repeat(250)
    uniform = torch.arange(1000) / 1000
    rows = drop_labels(labels, embedder, ["superclass", "null"], 0.1, uniform)
    assert torch.equal(rows[:100], 4 + torch.tensor([0, 0, 1, 1]).repeat(25))
    assert set(rows[100:200].tolist()) == {6}
    assert torch.equal(rows[200:], labels[200:])


def test_flat_table_cannot_guide_by_superclass():
    embedder = network(run_of("bitfit"), BASE).y_embedder
    with pytest.raises(ValueError, match="needs a tiered embedder"):
        embedder.reference_rows(torch.tensor([0]), "superclass")


def test_a_picture_does_not_depend_on_its_batch():
    model = network(run_of("finediffusion"), BASE)
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
import finefit.training.finetune, finefit.sampling.sample, finefit.latents.encode
import finefit.deltas.published, finefit.methods
for name in finefit.methods.names():
    finefit.methods.find(name)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_guidance_acts_only_within_its_interval():
    model = network(run_of("bitfit"), BASE).eval()
    rows = torch.tensor([0, 1])
    predict = guided(model, rows, torch.tensor([4, 4]), 3.0, channels=4, interval=(400, 600))
    x = torch.randn(2, 4, 16, 16)
    for timestep, inside in ((399, False), (400, True), (600, True), (601, False)):
        t = torch.full((2,), timestep)
        with torch.no_grad():
            assert torch.equal(predict(x, timestep), model(x, t, rows)) != inside
