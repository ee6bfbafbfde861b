"""Methods on diffusers' networks: against a block written out by hand, published counts, and whole trainings."""

from __future__ import annotations

import copy
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_pipeline import tiny_pipeline
from torch import nn
from torch.nn import functional as F
from typer.testing import CliRunner

from finefit.commands.app import app
from finefit.jobs import stopping
from finefit.unets import controlnet, deltas, methods, parts, pipelines, training
from finefit.unets.edges import edges

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs/diffusers.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a tiny pipeline, `model`, and pictures of discs, `photos` and `pictures`."""
    made = tmp_path_factory.mktemp("unets")
    tiny_pipeline(made / "model")
    y, x = np.mgrid[:64, :80]
    for name in ("photos", "pictures"):
        (made / name).mkdir()
        for number in range(3):
            disc = ((y - 30) ** 2 + (x - 40) ** 2 < (12 + 4 * number) ** 2)[..., None]
            Image.fromarray(np.where(disc, [200, 40, 30], [30, 90, 160]).astype(np.uint8)).save(
                made / name / f"{number}.png"
            )
    return made


def opened(folder: Path):
    return pipelines.open_pipeline(folder / "model", "cpu")


def answer(unet, seed: int = 3) -> torch.Tensor:
    """The network's output on fixed noise."""
    random = torch.Generator().manual_seed(seed)
    noise, prompt = torch.randn(2, 4, 8, 8, generator=random), torch.randn(2, 24, 16, generator=random)
    kind = next(unet.parameters()).dtype
    with torch.no_grad():
        return unet(noise.to(kind), torch.tensor([5, 700]), encoder_hidden_states=prompt.to(kind)).sample


def shaken(model: nn.Module, seed: int = 1) -> nn.Module:
    """With random changes of everything that is trained, as after a long training."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in methods.trained(model).values():
            value += 0.1 * torch.randn(value.shape, generator=random).to(value.dtype)
    return model


def by_hand(block, x, text, factors):
    """A transformer block with DiffFit's factors, written out: factors by place, attention split into heads."""

    def attention(part, x, source, gamma):
        heads = part.heads
        q, k, v = (
            (F.linear(given, getattr(part, f"to_{name}").weight, getattr(part, f"to_{name}").bias) * gamma[name])
            .unflatten(-1, (heads, -1))
            .transpose(1, 2)
            for name, given in (("q", x), ("k", source), ("v", source))
        )
        weights = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -1)
        mixed = (weights @ v).transpose(1, 2).flatten(2)
        return F.linear(mixed, part.to_out[0].weight, part.to_out[0].bias) * gamma["out"] * gamma["branch"]

    def normed(norm, x):
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.pow(2).mean(-1, keepdim=True) + norm.eps).sqrt() * norm.weight + norm.bias

    y = normed(block.norm1, x)
    x = x + attention(block.attn1, y, y, factors["attn1"])
    x = x + attention(block.attn2, normed(block.norm2, x), text, factors["attn2"])
    gate = block.ff.net[0].proj
    value, gated = F.linear(normed(block.norm3, x), gate.weight, gate.bias).chunk(2, -1)
    inner = value * 0.5 * gated * (1 + torch.erf(gated / 2**0.5))
    return x + F.linear(inner, block.ff.net[2].weight, block.ff.net[2].bias) * factors["ff"]["branch"]


def test_hooks_are_a_block_with_factors_written_by_hand():
    """Output and gradients of every factor, bias, norm and input, float64."""
    from diffusers.models.attention import BasicTransformerBlock

    torch.manual_seed(0)
    block = BasicTransformerBlock(12, 3, 4, cross_attention_dim=10, attention_bias=True).double()
    methods.attach(block, "difffit")
    shaken(block)
    factors = {name: {"branch": getattr(block, name).to_out[0].gamma_branch} for name in ("attn1", "attn2")}
    for name, entry in factors.items():
        layers = getattr(block, name)
        entry |= {"q": layers.to_q.gamma, "k": layers.to_k.gamma, "v": layers.to_v.gamma, "out": layers.to_out[0].gamma}
    factors["ff"] = {"branch": block.ff.net[2].gamma_branch}
    assert sum(value.numel() for entry in factors.values() for value in entry.values()) == 11 * 12
    x, text = torch.randn(2, 5, 12).double().requires_grad_(), torch.randn(2, 7, 10).double()
    wanted = [x, *methods.trained(block).values()]
    found, expected = block(x, encoder_hidden_states=text), by_hand(block, x, text, factors)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    aim = torch.randn(found.shape).double()
    gradients = torch.autograd.grad((found * aim).sum(), wanted), torch.autograd.grad((expected * aim).sum(), wanted)
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)
    assert all(gradient.abs().max() > 0 for gradient in gradients[0])


@pytest.mark.parametrize("method", methods.METHODS)
class TestEveryMethod:
    def test_starts_at_the_base_trains_what_it_says_and_leaves_no_trace(self, method, folder):
        unet = opened(folder).unet
        before, names, plain = answer(unet), [n for n, _ in unet.named_parameters()], answer(unet)
        methods.attach(unet, method)
        assert torch.equal(answer(unet), before)
        assert {n for n, p in unet.named_parameters() if p.requires_grad} == unet.finefit.trained
        random = torch.randn(1, 4, 8, 8), torch.tensor([3])
        unet(*random, encoder_hidden_states=torch.randn(1, 24, 16)).sample.pow(2).sum().backward()
        grads = {n for n, p in unet.named_parameters() if p.grad is not None}
        assert grads == unet.finefit.trained
        methods.detach(unet)
        assert [n for n, _ in unet.named_parameters()] == names
        assert vars(unet).keys() == vars(opened(folder).unet).keys()
        assert torch.equal(answer(unet), plain) and not any(p.requires_grad for p in unet.parameters())

    def test_delta_swapped_on_a_live_pipeline_equals_a_fresh_one_and_merged_equals_unmerged(
        self, method, folder, tmp_path
    ):
        pipe = opened(folder)
        base = answer(pipe.unet)
        methods.attach(pipe.unet, method)
        deltas.save(tmp_path / "d", {"unet": shaken(pipe.unet)})
        changed = answer(pipe.unet)
        pictures = pipelines.draw(pipe, "a photo", range(2), 2)
        fresh = opened(folder)
        methods.attach(fresh.unet, "bitfit")
        deltas.save(tmp_path / "other", {"unet": shaken(fresh.unet, seed=2)})
        fresh = opened(folder)
        for file in ("other", "d", "other", "d"):
            deltas.load(tmp_path / file, fresh.components)
        assert torch.equal(answer(fresh.unet), changed) and not torch.allclose(changed, base)
        again = pipelines.draw(fresh, "a photo", range(2), 2)
        assert all(one.tobytes() == two.tobytes() for one, two in zip(pictures, again, strict=True))
        merged = opened(folder)
        deltas.load(tmp_path / "d", merged.components)
        deltas.merge(merged.components)
        assert [n for n, _ in merged.unet.named_parameters()] == [n for n, _ in opened(folder).unet.named_parameters()]
        assert (answer(merged.unet) - changed).abs().max() < 1e-5 * changed.abs().max()
        deltas.unload(fresh.components)
        assert torch.equal(answer(fresh.unet), base)


def test_methods_fit_transformers_too():
    """Of another family, with norms without parameters; the function stays, the factors are there."""
    from diffusers import DiTTransformer2DModel

    torch.manual_seed(0)
    model = DiTTransformer2DModel(2, 8, 4, num_layers=2, norm_num_groups=4, sample_size=8, num_embeds_ada_norm=5)
    given = dict(hidden_states=torch.randn(1, 4, 8, 8), timestep=torch.tensor([9]), class_labels=torch.tensor([1]))
    before = model(**given).sample
    methods.attach(model, "difffit")
    assert torch.equal(model(**given).sample, before)
    assert sum(p.numel() for n, p in model.named_parameters() if "gamma" in n) == 2 * 6 * 16  # qkv, out, two branches


def test_counts_of_the_true_architectures_are_the_published_ones():
    """Totals as model cards print them; rows as DiffFit prints them."""
    first, second = parts.rows(ROOT / parts.PUBLISHED)
    assert (first.trained, first.total) == (361_279_120, 859_520_964 + 361_279_120 + 123_060_480)
    # biases, norms' scales, zero convolutions but the middle one's, convolutions of the condition, factors
    zero = 4 * 320**2 + 3 * 640**2 + 5 * 1280**2
    hint = 9 * (3 * 16 + 16 * 16 + 16 * 32 + 32 * 32 + 32 * 96 + 96 * 96 + 96 * 256 + 256 * 320)
    assert second.trained == 163_744 + 41_280 + zero + hint + 11 * (2 * 320 + 2 * 640 + 3 * 1280)
    assert (round(first.trained / 1e6), round(first.share, 1)) == (361, 26.9)
    assert (round(second.trained / 1e6, 1), round(second.share, 2)) == (11.2, 0.83)


def test_edges_of_a_square_are_its_outline():
    square = np.zeros((40, 40, 1), bool)
    square[10:30, 10:30] = True
    for inside, outside in (([255, 255, 255], [0, 0, 0]), ([200, 40, 30], [30, 90, 150])):  # the second, equally bright
        found = edges(np.where(square, inside, outside).astype(np.uint8))
        rows, columns = np.nonzero(found)
        away = [
            min(abs(r - 9.5), abs(r - 29.5), abs(c - 9.5), abs(c - 29.5)) for r, c in zip(rows, columns, strict=True)
        ]
        assert max(away) < 2 and np.count_nonzero(found[20]) == np.count_nonzero(found[:, 20]) == 2
    assert not edges(np.full((20, 20, 3), 90, np.uint8)).any()


def commands() -> list[list[str]]:
    """The guide's commands, each a training of seconds."""
    blocks = "\n".join(re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)).replace("\\\n", " ")
    return [
        shlex.split(line)[1:] for line in blocks.splitlines() if line.startswith(("finefit dream", "finefit control"))
    ]


def call(*words: str):
    """The command line on these words, with short trainings."""
    return CliRunner().invoke(app, [*words, "--steps", "12", "--sample-steps", "2"], catch_exceptions=False)


@pytest.mark.parametrize("command", commands(), ids=lambda words: words[0])
def test_the_guides_examples_train_and_their_deltas_draw_the_published_pictures(command, folder, monkeypatch):
    monkeypatch.chdir(folder)
    more = ["--class-pictures", "2"] if command[0] == "dreambooth" else []
    assert call(*command, *more, "--lr", "0.01").exit_code == 0
    out = Path(command[command.index("--out") + 1])
    assert {file.name for file in out.iterdir()} == {"delta.safetensors", "samples.png", "run.json"}
    told = json.loads((out / "run.json").read_text())
    assert told["fixed_loss"]["after"] < told["fixed_loss"]["before"]
    pipe, prompt = opened(folder), command[command.index("--prompt") + 1]
    if command[0] == "dreambooth":
        deltas.load(out / "delta.safetensors", pipe.components)
        drawn = pipelines.sheet([pipelines.draw(pipe, prompt, range(4), 2)])
    else:
        steering = controlnet.new_network("ControlNetModel", pipe.unet, seed=0)
        deltas.load(out / "delta.safetensors", {"controlnet": steering})
        from diffusers import AutoPipelineForText2Image  # opening a pipeline has made torchvision importable

        pipe = AutoPipelineForText2Image.from_pipe(pipe, controlnet=steering)
        pipe.set_progress_bar_config(disable=True)
        files = pipelines.pictures(Path("pictures"))
        shown = [controlnet.condition(file, None, 64) for file in files]
        drawn = pipelines.sheet([controlnet.drawn(pipe, [prompt] * len(files), shown, 2)])
    with Image.open(out / "samples.png") as sheet:
        before, after = np.split(np.array(sheet)[-2 * drawn.height :], 2)
    assert np.array_equal(after, np.array(drawn))
    assert not np.array_equal(before, np.array(drawn))


def test_a_stopped_training_goes_on_to_the_same_bytes(folder, monkeypatch, tmp_path):
    words = ["dreambooth", str(folder / "photos"), "--model", str(folder / "model"), "--prompt", "a photo"]
    words += ["--text-biases"]
    monkeypatch.setattr(stopping, "asked", lambda: False)
    call(*words, "--out", str(tmp_path / "whole"))
    asked = iter([False] * 4 + [True])
    monkeypatch.setattr(stopping, "asked", lambda: next(asked))
    with pytest.raises(stopping.ToBeContinued):
        call(*words, "--out", str(tmp_path / "cut"))
    assert not (tmp_path / "cut").exists()
    with pytest.raises(ValueError, match=r"recipe\.json: lr: was 0\.001, now 0\.002; repeat the command as it was"):
        call(*words, "--out", str(tmp_path / "cut"), "--lr", "0.002")
    monkeypatch.setattr(stopping, "asked", lambda: False)
    call(*words, "--out", str(tmp_path / "cut"))
    for name in ("delta.safetensors", "samples.png"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    pipe = opened(folder)
    deltas.load(tmp_path / "cut/delta.safetensors", pipe.components)
    assert set(deltas.changed(pipe.components)) == {"unet", "text_encoder"}


def test_loss_and_gradient_are_of_the_closed_form(folder):
    """With a network that answers zero, the loss is the mean square of what the schedule has it predict: the noise."""
    pipe = opened(folder)
    pipe.unet.forward = lambda noisy, at, encoder_hidden_states: type("A", (), {"sample": torch.zeros_like(noisy)})
    from finefit.unets.pipelines import noise_of

    moment, random = torch.zeros(2, 4, 8, 8), torch.Generator().manual_seed(4)
    found = training.denoising(pipe, noise_of(pipe), moment, torch.zeros(1, 24, 16), random)
    again = torch.Generator().manual_seed(4)
    torch.randn(4, 8, 8, generator=again)
    assert found == torch.randn(1, 4, 8, 8, generator=again).pow(2).mean()


def test_wrong_input_is_one_line_that_says_what_to_do(folder, tmp_path):
    with pytest.raises(ValueError, match="photos: no model_index.json: --model needs a pipeline's folder"):
        opened_wrong = ["dreambooth", str(folder / "photos"), "--model", str(folder / "photos"), "--prompt", "a"]
        call(*opened_wrong, "--out", str(tmp_path / "o"))
    with pytest.raises(ValueError, match="nothing: no pictures: give a folder"):
        pipelines.pictures(tmp_path / "nothing")
    (tmp_path / "bad.png").write_text("x")
    with pytest.raises(ValueError, match="bad.png: no picture that can be read"):
        pipelines.read(tmp_path / "bad.png", 8)
    unet = opened(folder).unet
    for method, settings, line in (
        ("lorra", {}, "unknown method 'lorra': use one of full, bitfit, difffit, lora"),
        ("bitfit", {"rank": 3}, "bitfit: rank: unknown key"),
        ("lora", {"rank": 0}, "lora: rank is 0"),
        ("difffit", {"layout": "3-D"}, "difffit: layout is '3-D': use six-D or two-D"),
        ("difffit", {"also": ["zero*"]}, r"also: zero\*: no parameter's name is like this"),
    ):
        with pytest.raises(ValueError, match=line):
            methods.attach(unet, method, **settings)
        assert not any("gamma" in name for name, _ in unet.named_parameters())
    with pytest.raises(ValueError, match="--method: unknown method 'x'"):
        _ = training.Request(tmp_path, tmp_path, "x").rate
    methods.attach(unet, "bitfit")
    deltas.save(tmp_path / "d", {"unet": unet})
    with pytest.raises(ValueError, match="already has bitfit: detach it first"):
        methods.attach(unet, "bitfit")
    other = copy.deepcopy(opened(folder).unet)
    with torch.no_grad():
        for value in other.parameters():
            value.mul_(1.1)
    with pytest.raises(ValueError, match="d: unet: made on another base"):
        deltas.load(tmp_path / "d", {"unet": other})
    with pytest.raises(ValueError, match="d: unet: the pipeline has no such part"):
        deltas.load(tmp_path / "d", {})
    with pytest.raises(ValueError, match="bad.png: no delta of a pipeline"):
        deltas.load(tmp_path / "bad.png", {"unet": unet})


def test_no_line_of_the_room_knows_a_networks_name():
    """No class of a network of diffusers, and none of the words by which checkpoints are known."""
    import diffusers

    text = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "src/finefit/unets").glob("*.py"))
    names = [name for name in dir(diffusers) if re.search(r"Model$|^Autoencoder|Transformer", name)]
    assert not [name for name in names if re.search(rf"\b{name}\b", text)]
    assert not re.search(r"(?i)stable.?diffusion|sdxl|pixart|flux|mid_block\.|down_blocks\b(?!_)", text)
