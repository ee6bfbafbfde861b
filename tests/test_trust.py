"""The report says which scores fail, chooses guidance without luck, shows worst classes and nearest training ones."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from finefit.analysis import collect
from finefit.analysis.guidance import best, halves
from finefit.report import guidance, judging, tables, worst


def test_a_failed_score_is_told_first_and_printed_grey(made_up_study):
    found = collect.read("study.yaml")
    told = judging.warnings(found).data
    assert "Do not rely on judge probe" in told and "precision_probe (plain noise scores 0.85" in told
    assert 'class="distrusted" title="plain noise scores 0.85' in tables.further(found).data
    assert "distrusted" not in tables.results(found).data  # fd_probe has not failed
    shown = judging.judged(found).data
    assert "1 pixels" in shown and "not seen" in shown and "1 test picture" in shown


def test_a_judge_that_fails_in_nothing_is_not_warned_of(made_up_study):
    for job in made_up_study.kind("judge"):
        content = json.loads((job.path / "judge.json").read_text())
        (job.path / "judge.json").write_text(json.dumps(content | {"failures": {}}))
    found = collect.read("study.yaml")
    assert judging.warnings(found).data == "" and "distrusted" not in tables.further(found).data


def test_a_scale_is_scored_on_the_half_that_did_not_choose_it(made_up_study):
    """The first half likes scale 3 by luck; each half's choice is scored on the other."""
    fd = {0: {1.0: 5.0, 1.5: 4.0, 3.0: 1.0}, 1: {1.0: 6.0, 1.5: 4.5, 3.0: 9.0}}
    for job in made_up_study.kind("evaluate"):
        scale = job.inputs["sample"].settings["scale"]
        rows = [("probe", half, "fd_probe", fd[half][scale]) for half in (0, 1)]
        rows += [("probe", half, "kid_probe", abs(scale - 1.5)) for half in (0, 1)]
        table = pd.DataFrame(rows, columns=["judge", "half", "score", "value"])
        table.to_csv(job.path / "halves.csv", index=False)
    found = collect.read("study.yaml")
    values = halves(found, "embedded-8")
    one = best(values, "fd_probe").set_index(["entry", "guidance"]).loc[("finediffusion", "null")]
    assert one["scales"] == [3.0, 1.5]
    assert one["value"] == pytest.approx((9.0 + 4.0) / 2)
    told = guidance.own_best(found).data
    assert "fd_probe 1.5 or 3, kid_probe 1.5" in told  # the two choose differently
    assert "full" not in told  # sampled at one scale
    assert "precision_probe" in guidance.fidelity_and_variety(found).data


def test_worst_classes_are_those_furthest_from_real_ones(made_up_study):
    for job in made_up_study.kind("evaluate"):
        table = pd.read_csv(job.path / "classes.csv").assign(kid_probe=[0.1, 0.9, 0.2, 0.3, np.nan, 0.4])
        table.to_csv(job.path / "classes.csv", index=False)
    shown = worst.pictures(collect.read("study.yaml")).data
    assert shown.index("class &lt;1&gt;") < shown.index("class &lt;5&gt;") < shown.index("class &lt;3&gt;")
    assert "class &lt;4&gt;" not in shown  # too few pictures to tell


def test_long_tails_are_read_by_bands(made_up_study):
    found = collect.read("study.yaml")
    assert worst.bands(found).data == ""  # no tail to look at
    data = made_up_study.kind("data")[0]
    of_class = np.repeat(np.arange(6), [2, 2, 2, 40, 40, 40])
    pd.DataFrame({"class_id": of_class, "split": "train"}).to_csv(data.path / "index.csv")
    shown = worst.bands(found).data
    assert "0 or more<small>3 classes" in shown and "30 or more<small>3 classes" in shown


def test_nearest_training_pictures_stand_below_samples(made_up_study):
    shown = worst.neighbours(collect.read("study.yaml")).data
    assert shown.count("training pictures nearest to the samples above them") == 4  # a row of `main` each
