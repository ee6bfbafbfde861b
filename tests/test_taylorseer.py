"""Between evaluations of the blocks, what they add lies on a line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from made_up import STUDY, fake
from tiny import BASE_FILE, SAMPLE
from torch import nn

from finefit.analysis import collect
from finefit.deltas.beside import beside
from finefit.deltas.network import unconditional, with_own_classes
from finefit.diffusion.taylorseer import Forecast
from finefit.models.shapes import Shape
from finefit.outlook import work
from finefit.rehearsal import studies
from finefit.report import overview
from finefit.sampling.sample import sample
from finefit.study import reading
from finefit.study.plan import Plan

SHAPE = Shape("Mini", 2, 8, 4, 1.0)


class Adds(nn.Module):
    """A block that adds the `line`'s value at the step to the tokens; a step is a call."""

    def __init__(self, line):
        super().__init__()
        self.line, self.step, self.calls = line, 0, 0

    def forward(self, x, c):
        self.calls += 1
        return x + self.line(self.step)


def followed(block: Adds, every: int, steps: int) -> list[float]:
    blocks, added = Forecast(nn.ModuleList([block]), every), []
    for block.step in range(steps):
        added.append(float(blocks(torch.zeros(1, 2, 3), torch.zeros(1, 3))[0, 0, 0]))
    return added


def test_what_changes_evenly_is_forecast_exactly_from_the_second_evaluation_on():
    block = Adds(lambda step: 5.0 - 2.0 * step)
    assert followed(block, 3, 8) == [5.0, 5.0, 5.0, -1.0, -3.0, -5.0, -7.0, -9.0]
    assert block.calls == 3  # of 8


def test_of_what_bends_the_error_is_taylors_remainder():
    block = Adds(lambda step: 0.5 * step**2)
    added = followed(block, 2, 6)
    assert added[0::2] == [0.0, 2.0, 8.0]
    assert added[3] - 4.5 == pytest.approx(2.0 + 1.0 - 4.5)  # f(2) + (f(2) - f(0)) / 2


def test_a_batch_of_another_size_is_evaluated():
    block = Adds(lambda step: 1.0 * step)
    blocks = Forecast(nn.ModuleList([block]), 10)
    for size in (2, 2, 4, 4, 2):
        blocks(torch.zeros(size, 2, 3), torch.zeros(size, 3))
    assert block.calls == 3


def counted(model) -> list[int]:
    """How often the first block of every network that a sampling asks is evaluated."""
    seen = []
    model.blocks[0].register_forward_pre_hook(lambda *_: seen.append(1))
    return seen


def test_sampling_evaluates_so_many_steps_and_leaves_the_network_as_it_was():
    model = with_own_classes(BASE_FILE, SHAPE)
    blocks, seen = model.blocks, counted(model)
    settings = SAMPLE | {"steps": 9}
    labels, numbers = torch.tensor([0, 5]), torch.tensor([0, 0])
    whole = sample(model, labels, numbers, settings, "float32", "cpu")
    assert len(seen) == 9
    near = sample(model, labels, numbers, settings | {"evaluate_every": 2}, "float32", "cpu")
    assert len(seen) == 9 + 5 and model.blocks is blocks
    far = sample(model, labels, numbers, settings | {"evaluate_every": 9}, "float32", "cpu")
    assert 0 < (near - whole).square().mean() < 0.1 * (far - whole).square().mean()
    assert torch.equal(sample(model, labels, numbers, settings | {"evaluate_every": 1}, "float32", "cpu"), whole)


def test_two_networks_beside_each_other_are_both_forecast():
    model = with_own_classes(BASE_FILE, SHAPE)
    pair = beside(model, unconditional(BASE_FILE, SHAPE))
    seen = counted(model)
    settings = SAMPLE | {"steps": 9, "guidance": "base", "scale": 1.5, "evaluate_every": 3}
    sample(model, torch.tensor([3]), torch.tensor([0]), settings, "float32", "cpu", pair)
    assert len(seen) == 3


def with_forecast(steps: int, every: int) -> Plan:
    sampled = STUDY["sample"] | {"steps": steps, "evaluate_every": every}
    Path("study.yaml").write_text(yaml.safe_dump(STUDY | {"sample": sampled}))
    return Plan(reading.load(Path("study.yaml")))


def test_a_study_says_what_its_forecasts_cost(made_up_study):
    assert "evaluated" not in overview.facts(collect.read("study.yaml")).data
    plan = with_forecast(24, 3)
    assert "8 of 24 steps<" in overview.facts(collect.read("study.yaml")).data
    samples = plan.kind("sample")
    for job in samples:
        fake(job, np.random.default_rng(0))
        (job.path / "taylorseer.json").write_text(json.dumps({"pictures": 8, "rms": 2.5}))
    assert "8 of 24 steps; 2.50 grey levels off" in overview.facts(collect.read("study.yaml")).data
    alone = with_forecast(8, 1).kind("sample")
    assert [work.amounts(job)["sample"] for job in samples] == [work.amounts(job)["sample"] for job in alone]


def test_a_rehearsal_takes_its_two_steps_as_they_are(made_up_study):
    rehearsed = studies.part(with_forecast(24, 3).study, "one", ["embedded"], ["full"], on_gpu=True)
    assert (rehearsed.sample.steps, rehearsed.sample.evaluate_every) == (2, 1)


def test_more_steps_than_there_are_cannot_be_forecast(made_up_study):
    with pytest.raises(ValueError, match="evaluate_every: 25 is more than sample.steps"):
        with_forecast(24, 25)
