"""The published autoencoders' codecs: with random weights, as none can be downloaded, and true ones where they are."""

from __future__ import annotations

import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from finefit import codecs
from finefit.codecs import sd_vae, taef2
from finefit.data import sources
from finefit.data.archives import unpacked
from finefit.datasets import caltech101
from finefit.jobs.torchvision_shim import importable_torchvision
from finefit.outlook.data_check import HERE, state

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


@pytest.fixture
def small(tmp_path):
    """TAEF2 of random weights, from files in its published layout."""
    torch.manual_seed(0)
    files = [tmp_path / f"{row}.pth" for row in ("taef2-encoder", "taef2-decoder")]
    for file in files:
        taef2.stand_in(file, file.stem)
    return taef2.load(*files)


def test_taef2_without_its_normalised_branch_is_diffusers_autoencoder_tiny(small, images):
    """That class knows every layer but the branch of the narrowest level; it takes and gives pixels in [-1, 1]."""
    importable_torchvision()
    from diffusers import AutoencoderTiny

    widths = (taef2.WIDTH,) * 4
    theirs = AutoencoderTiny(
        latent_channels=32, encoder_block_out_channels=widths, decoder_block_out_channels=widths,
        num_encoder_blocks=(1, 3, 3, 3), num_decoder_blocks=(3, 3, 3, 1),
    ).eval()  # fmt: skip
    for side in ("encoder", "decoder"):
        for block in getattr(small, side):
            if getattr(block, "pool", None):
                torch.nn.init.zeros_(block.pool[-1].weight)
        own = {name: value for name, value in getattr(small, side).state_dict().items() if ".pool." not in name}
        if side == "decoder":  # theirs counts from after the bend, which it has no module for
            own = {f"{int(name.split('.')[0]) - 1}.{name.partition('.')[2]}": value for name, value in own.items()}
        getattr(theirs, side).layers.load_state_dict(own)
    with torch.no_grad():
        latents = theirs.encode(images.permute(0, 3, 1, 2) / 127.5 - 1).latents
        pixels = theirs.decode(latents).sample
    found, deviation = small.encode(images)
    assert found.shape == (3, 32, 4, 4) and deviation is None
    assert torch.allclose(found, latents * taef2.SCALE, atol=1e-5)
    expected = (pixels.clamp(-1, 1) + 1).permute(0, 2, 3, 1) * 127.5
    assert (small.decode(found).float() - expected).abs().max() <= 0.51


def test_taef2_goes_into_a_diffusers_folder_as_it_decodes(small, images):
    latents, _ = small.encode(images)
    theirs = taef2.as_diffusers(small)
    with torch.no_grad():
        pixels = theirs.decode(latents / theirs.config.scaling_factor).sample
    expected = (pixels.clamp(-1, 1) + 1).permute(0, 2, 3, 1) * 127.5
    assert (small.decode(latents).float() - expected).abs().max() <= 0.51


def test_taef2_has_as_many_numbers_as_its_published_files_hold():
    codec = taef2.TAEF2()
    found = [sum(weights.numel() for weights in part.parameters()) for part in (codec.encoder, codec.decoder)]
    assert found == [1_338_528, 1_338_499]


def test_a_file_that_lacks_a_tensor_of_taef2_is_refused(small, tmp_path):
    state = small.decoder.state_dict()
    del state["19.bias"]
    torch.save(state, tmp_path / "cut.pth")
    with pytest.raises(ValueError, match=r"cut\.pth: no weights of the codec taef2 \(.*19\.bias"):
        taef2.load(tmp_path / "taef2-encoder.pth", tmp_path / "cut.pth")


def test_a_batch_that_is_coded_in_parts_is_coded_alike(small, images, monkeypatch):
    latents, _ = small.encode(images)
    pictures = small.decode(latents).float()
    monkeypatch.setattr(taef2, "PIXELS", 32**2)
    assert torch.allclose(small.encode(images)[0], latents, atol=1e-5)
    assert (small.decode(latents).float() - pictures).abs().max() <= 1


@pytest.mark.parametrize("side, count, decibels", [(32, 120, 22.6), (64, 24, 25.3)])
def test_the_published_weights_keep_of_photographs_what_was_measured_before(side, count, decibels):
    """Photographs of Caltech-101, where 200 of ImageNet gave these numbers; latents come out at unit variance."""
    rows = [sources.find(row) for row in ("taef2-encoder", "taef2-decoder", "caltech101-128")]
    if absent := [row.file for row in rows if state(row) not in HERE]:
        pytest.skip(f"FINEFIT_MIRROR names no folder with {', '.join(absent)}")
    settings = caltech101.Settings("caltech101-128")
    root = unpacked(caltech101.sources(settings))
    found = caltech101.index(settings, root).query("split == 'test'").sample(count, random_state=0)
    images = torch.from_numpy(caltech101.read(found, side, settings, root))
    codec = taef2.load(sources.fetch("taef2-encoder"), sources.fetch("taef2-decoder"))
    latents, _ = codec.encode(images)
    errors = (codec.decode(latents).float() - images.float()).square().mean((1, 2, 3))
    assert (10 * torch.log10(255**2 / errors)).mean().item() == pytest.approx(decibels, abs=1.0)
    assert latents.std().item() == pytest.approx(1, abs=0.05)
