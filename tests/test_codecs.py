"""The published autoencoder's codec, with small random weights: none can be downloaded for a test."""

from __future__ import annotations

import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from finefit import codecs
from finefit.codecs import sd_vae

TINY = {"block_out_channels": (8, 8, 16, 16), "norm_num_groups": 4, "layers_per_block": 1}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A small autoencoder of the same kind, and its weights in diffusers' form."""
    monkeypatch.setattr(sd_vae, "SHAPE", sd_vae.SHAPE | TINY)
    torch.manual_seed(0)
    autoencoder = sd_vae.autoencoder_kind()(**sd_vae.SHAPE).eval()
    autoencoder.save_pretrained(tmp_path)
    return autoencoder, tmp_path / "diffusion_pytorch_model.safetensors"


@pytest.fixture
def images():
    return torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_encodes_and_decodes_as_diffusers(tiny, images, monkeypatch):
    autoencoder, weights = tiny
    codec = sd_vae.load(weights)
    monkeypatch.setattr(sd_vae, "PIXELS", dict.fromkeys(sd_vae.PIXELS, 2 * 32**2))
    pixels = images.permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        posterior = autoencoder.encode(pixels).latent_dist
        decoded = autoencoder.decode(posterior.mean).sample
    mean, deviation = codec.encode(images)
    assert mean.shape == deviation.shape == (3, 4, 4, 4)
    assert torch.allclose(mean, 0.18215 * posterior.mean, atol=1e-5)
    assert torch.allclose(deviation, 0.18215 * posterior.logvar.div(2).exp(), atol=1e-5)
    expected = ((decoded.clamp(-1, 1) + 1) * 127.5).permute(0, 2, 3, 1)
    found = codec.decode(mean)
    assert found.dtype == torch.uint8 and (found.float() - expected).abs().max() <= 0.51


def test_weights_under_the_names_of_old_files_are_read(tiny, images, tmp_path):
    """The published files name the attention's layers query, key, value and proj_attn."""
    _, weights = tiny
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = {
        re.sub("|".join(map(re.escape, old)), lambda found: old[found[0]], name): value
        for name, value in load_file(weights).items()
    }
    assert any("proj_attn" in name for name in state)
    save_file(state, tmp_path / "old.safetensors", {"format": "pt"})
    for new, same in zip(sd_vae.load(weights).encode(images), sd_vae.load(tmp_path / "old.safetensors").encode(images),
                         strict=True):  # fmt: skip
        assert torch.equal(new, same)


def test_the_published_shape_has_the_published_size():
    """83,653,863 parameters: 334,615,452 bytes in float32, within the 334,643,276 of the published file."""
    with torch.device("meta"):
        autoencoder = sd_vae.autoencoder_kind()(**sd_vae.SHAPE)
    assert sum(parameter.numel() for parameter in autoencoder.parameters()) == 83_653_863


def test_scale_stands_in_the_codec_only():
    import pathlib

    source = pathlib.Path(codecs.__file__).parents[1]
    assert [path.name for path in source.rglob("*.py") if "18215" in path.read_text()] == ["sd_vae.py"]
