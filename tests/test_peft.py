"""Every kind of adapter that peft has for linear layers keeps the contract of methods, as far as its kind lets it."""

from __future__ import annotations

import re

import pytest
import torch
from test_methods import interrupted_at
from tiny import BASE, ROOT, answer, fine_tuned, run_of, shaken, trained_tensors

from finefit.deltas.delta import load_delta, save_delta
from finefit.deltas.merge import merged
from finefit.deltas.network import network
from finefit.methods import peft
from finefit.models.shapes import CLASS_TABLE
from finefit.outlook import counts
from finefit.study import reading

NOT_AT_BASE = {"fourierft", "c3a", "vblora"}  # peft draws their numbers unless options say otherwise (`init_weights`)
SINGLE = {"adamss"}  # keeps numbers that do not follow the network to double precision
NOT_MERGED = {"lily"}  # peft says so itself


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("kind", peft.kinds())
def test_every_kind_trains_resumes_and_comes_back(kind, latents, tmp_path, monkeypatch):
    """Only what it names is trained; the base is left alone; interrupted and saved it gives the same network."""
    run = run_of("peft", **peft.variants()[kind])
    start = network(run, BASE)
    assert (distance(answer(start), answer(network(run_of("labels"), BASE))) < 1e-5) == (kind not in NOT_AT_BASE)
    model, average = fine_tuned(run, latents, tmp_path)
    before, after = dict(start.named_parameters()), dict(model.named_parameters())
    assert {name for name in before if not torch.equal(before[name], after[name])} <= model.trained
    assert len(model.trained) > 1 and CLASS_TABLE in model.trained
    assert any(value.data_ptr() == BASE["blocks.0.mlp.fc1.weight"].data_ptr() for value in model.parameters())
    save_delta(tmp_path / "d", trained_tensors(model), run, "base")
    assert torch.equal(answer(load_delta(tmp_path / "d", BASE, "base")), answer(model))
    monkeypatch.setattr("finefit.training.train.SECONDS_BETWEEN_STATES", 0.0)
    monkeypatch.setattr("finefit.training.train.SHARE_FOR_STATES", 1e9)
    (tmp_path / "cut").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr("finefit.training.train.draw", interrupted_at(2))
        with pytest.raises(KeyboardInterrupt):
            fine_tuned(run, latents, tmp_path / "cut")
    _, resumed = fine_tuned(run, latents, tmp_path / "cut")
    assert all(torch.equal(average[name], resumed[name]) for name in average)


@pytest.mark.parametrize("kind", peft.kinds())
def test_a_kind_folds_into_the_base_or_says_that_it_does_not(kind):
    model = shaken(network(run_of("peft", **peft.variants()[kind]), BASE))
    if kind in NOT_MERGED:
        with pytest.raises(ValueError, match="cannot be merged: peft says of blocks.0.attn.qkv"):
            merged(model)
        return
    model = model if kind in SINGLE else model.double()
    whole = merged(model)
    assert whole.state_dict().keys() == network(run_of("full"), BASE).state_dict().keys()
    assert distance(answer(whole), answer(model)) < (1e-5 if kind in SINGLE else 1e-6)


@pytest.mark.parametrize(
    ("kind", "options", "layers", "added"),
    [  # D of Mini is 192, depth 6; the class table has 5 rows
        ("lora", {"r": 4}, ("qkv",), 6 * 4 * (192 + 3 * 192)),
        ("dora", {"r": 4}, ("qkv",), 6 * (4 * (192 + 3 * 192) + 3 * 192)),  # and a length for every output
        ("loha", {"r": 4}, ("attn.proj",), 6 * 2 * 4 * (192 + 192)),  # two low-rank matrices
        ("oft", {"oft_block_size": 32}, ("fc2",), 6 * (4 * 192 // 32) * (32 * 31 // 2)),  # skew matrices of 32
        ("vera", {"r": 16}, ("qkv",), 6 * (16 + 3 * 192)),  # two vectors
        ("hra", {"r": 8}, ("fc1",), 6 * 8 * 192),  # reflections
        ("fourierft", {"n_frequency": 50}, ("qkv",), 6 * 50),
    ],
)
def test_counts_are_the_papers_formulas(kind, options, layers, added):
    settings = {"kind": kind, "options": options, "layers": layers}
    assert counts.counted("DiT-Mini/2", "peft", settings, 4, 2).trained == added + 5 * 192


def test_lora_by_either_name_is_one_network():
    """The method of its own and peft's kind draw the same numbers: scaling alpha / r is 1 in both."""
    own = network(run_of("lora", rank=4), BASE)
    kind = network(run_of("peft", kind="lora", options={"r": 4, "lora_alpha": 4}), BASE)
    assert own.trained == kind.trained
    assert torch.equal(answer(shaken(own)), answer(shaken(kind)))


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("kind: lara", "kind is 'lara' (did you mean lora?)"),
        ("kind: poly", "kind poly cannot be used here: every picture would have to name a task"),
        ("kind: oft, options: {r: 4, block: 4}", "options.block: oft has no such setting in peft"),
        ("kind: c3a, options: {block_size: 0, bias: none}, layers: 3", "layers: "),
    ],
)
def test_wrong_settings_are_one_line_with_file_and_key(entry, line, tmp_path):
    text = (ROOT / "studies/smoke.yaml").read_text(encoding="utf-8")
    entries = f"methods:\n  adapter: {{method: peft, {entry}}}\n"
    (tmp_path / "s.yaml").write_text(re.sub(r"methods:\n(  .*\n)+", entries, text), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"s\.yaml:\d+: methods.adapter: {re.escape(line)}"):
        reading.load(tmp_path / "s.yaml")
