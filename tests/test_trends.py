"""Scores over what data sets differ in: the number is found, and whom nothing beats is told at each of its values."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
import yaml
from made_up import MadeUpScores

from finefit.analysis.crossings import against, crossing
from finefit.analysis.scores import COST, RUN, of_group
from finefit.analysis.statistics import Estimate
from finefit.analysis.trends import Axis, unbeaten, varied
from finefit.claims.selection import meant
from finefit.report.crossings import told
from finefit.study import reading
from finefit.study.plan import Plan

ROOT = Path(__file__).parent.parent


def study(*options: dict):
    """A study of embedded pictures with a data set for each of the given options."""
    content = yaml.safe_load((ROOT / "studies/smoke.yaml").read_text())
    content["data"] = {
        f"set-{place}": {"reader": "embedded", "resolutions": [32], "options": own} for place, own in enumerate(options)
    }
    return reading.parse(content | {"seeds": [0, 1, 2]}, "study.yaml")


@pytest.mark.parametrize(
    "options, expected",
    [
        ([{"shift": 1.0}, {"shift": 0.25}], ("shift", {"set-0-32": 1.0, "set-1-32": 0.25})),
        ([{"train_per_class": 8}, {"train_per_class": 32}], ("train_per_class", {"set-0-32": 8, "set-1-32": 32})),
        ([{"shift": 1.0}], None),
        ([{"shift": 1.0}, {"shift": 1.0}], None),
        ([{"shift": 1.0}, {"train_per_class": 8}], None),
    ],
)
def test_the_one_number_that_data_sets_differ_in_is_found(options, expected):
    axis = varied(study(*options))
    assert (axis and (axis.option, {group: value for (group, _), value in axis.values.items()})) == expected


def test_entries_that_differ_in_their_steps_alone_are_one_line():
    axis = varied(reading.load(ROOT / "studies/steps.yaml"))
    assert axis.option == "steps" and axis.places == [75, 300, 1200]
    assert axis.values["few-8-32", "full-steps-1200"] == 1200 and axis.lines["full-steps-1200"] == "full"
    assert set(axis.lines.values()) == {"full", "bitfit", "difffit", "finediffusion", "labels"}


def test_an_entry_of_the_studys_own_steps_is_the_run_of_other_studies():
    few, steps = (Plan(reading.load(ROOT / f"studies/{name}.yaml")) for name in ("fewshot", "steps"))
    runs = {job.path for job in few.jobs if job.kind == "finetune"}
    for job in (job for job in steps.jobs if job.kind == "finetune"):
        assert (job.path in runs) == ("steps-" not in job.name), job.name
        asked = int(job.name.partition("steps-")[2].partition("-")[0] or 300)
        assert job.settings["train"]["steps"] == asked


@pytest.mark.parametrize("steps", [0, -3, 2.5, True, "many"])
def test_steps_of_an_entry_are_a_whole_number(steps):
    content = yaml.safe_load((ROOT / "studies/smoke.yaml").read_text())
    content["methods"] = {"full": {"steps": steps}}
    with pytest.raises(ValueError, match=r"methods\.full: steps is .*: use a whole number of at least 1"):
        reading.parse(content, "study.yaml")


def known(*pairs: tuple[float, float]) -> list[Estimate]:
    """Differences of these means and half intervals, of so many degrees of freedom that 1.96 errors are the half."""
    return [Estimate(mean, half / 1.959964, 1e9, 4) for mean, half in pairs]


def test_a_crossing_lies_where_the_line_between_two_values_is_zero():
    """From -3 at 2 to 1 at 32: three quarters of four doublings, at 2 * 2^3; +-1 at both ends by the quadratic."""
    crossed = crossing([2, 32], known((-3, 1), (1, 0.5)))
    assert crossed.point == pytest.approx(16, rel=0.01)
    # |-3 + 4 t| = hypot(1 - t, t / 2), t the share of the way: 14.75 t^2 - 22 t + 8 = 0.
    low, high = ((22 + sign * math.sqrt(22**2 - 4 * 14.75 * 8)) / 29.5 for sign in (-1, 1))
    assert (crossed.low, crossed.high) == pytest.approx((2 * 16**low, 2 * 16**high), rel=0.01)


@pytest.mark.parametrize(
    "pairs, words",
    [
        ([(-3, 1), (-2, 1), (-4, 1)], "none within reach: full ahead everywhere"),
        ([(3, 1), (2, 1), (4, 1)], "none within reach: full behind everywhere"),
        ([(0.2, 1), (-2, 1), (-4, 1)], "full ahead from "),
        ([(2, 1), (0.3, 1), (-0.5, 1)], "full behind up to "),
        ([(0.2, 1), (-2, 1), (0.4, 1)], "not told apart at either end"),
        ([(-3, 1), (0.2, 1), (-3, 1)], "none shown: full ahead at both ends, not told apart at "),
        ([(3, 1), (1.5, 1), (-3, 1)], "at "),
    ],
)
def test_what_is_said_of_a_crossing(pairs, words):
    axis = Axis("steps", {("set", str(value)): value for value in (75, 300, 1200)}, {})
    differences = known(*pairs)
    assert told(crossing(axis.places, differences), differences, "full").startswith(words)


def test_who_is_ahead_is_told_at_each_value():
    asked, rows = study({"shift": 0.0}, {"shift": 1.0}), []
    means = {
        "set-0-32": {"full": 5.0, "bitfit": 5.001, "labels": 9.0},
        "set-1-32": {"full": 5, "bitfit": 7, "labels": 9},
    }
    for group, of_entry in means.items():
        for entry, mean in of_entry.items():
            for seed, noise in enumerate([-0.01, 0.0, 0.012] if entry == "full" else [0.0, -0.01, 0.01]):
                row = {"group": group, "variant": entry, "entry": entry, "guidance": "null", "scale": 1.5, "main": True}
                row |= {"seed": seed, "state": "done"} | dict.fromkeys((*RUN, *COST), math.nan)
                rows.append(row | {"fd_probe": mean + noise})
    found = MadeUpScores(asked, pd.DataFrame(rows))
    found.evaluations = found.evaluations.reindex(columns=dict.fromkeys([*found.evaluations, *found.metrics]))
    assert sorted(unbeaten(found, of_group(found.main, "set-0-32"))) == ["bitfit", "full"]
    assert unbeaten(found, of_group(found.main, "set-1-32")) == ["full"]


def test_every_method_is_set_beside_the_one_that_trains_most():
    asked, rows = study({"train_per_class": 2}, {"train_per_class": 32}), []
    means = {"set-0-32": {"full": 9.0, "bitfit": 5.0}, "set-1-32": {"full": 3.0, "bitfit": 5.0}}
    for group, of_entry in means.items():
        for entry, mean in of_entry.items():
            for seed, noise in enumerate([-0.01, 0.0, 0.012] if entry == "full" else [0.0, -0.01, 0.01]):
                row = {"group": group, "variant": entry, "entry": entry, "guidance": "null", "scale": 1.5, "main": True}
                row |= {"seed": seed, "state": "done"} | dict.fromkeys((*RUN, *COST), math.nan)
                row |= {"trained_parameters": 100 if entry == "full" else 1}
                rows.append(row | {"fd_probe": mean + noise})
    found = MadeUpScores(asked, pd.DataFrame(rows))
    found.evaluations = found.evaluations.reindex(columns=dict.fromkeys([*found.evaluations, *found.metrics]))
    most, others = against(found, varied(asked).along(found.main), "fd_probe")
    assert most == "full" and [*others] == ["bitfit"]
    assert [one.mean for one in others["bitfit"]] == pytest.approx([4, -2], abs=0.01)
    assert crossing([2, 32], others["bitfit"]).point == pytest.approx(2 * 16 ** (2 / 3), rel=0.01)
    found.evaluations.loc[found.evaluations["group"] == "set-1-32", "fd_probe"] = math.nan
    pending = MadeUpScores(asked, found.evaluations)
    assert against(pending, varied(asked).along(pending.main), "fd_probe") == ("", {}), "one of two values is no line"


def test_a_claim_may_ask_by_depth_and_by_the_bases_rate():
    small, large = reading.load(ROOT / "studies/depth.yaml"), reading.load(ROOT / "studies/difffit-depth.yaml")
    assert [meant("first half", one) for one in (small, large)] == [(1, 3), (1, 14)]
    assert [meant("second half", one) for one in (small, large)] == [(4, 6), (15, 28)]
    ten = {"times": 10, "of": {"dit-xl-2-256": 1e-4, "base-mini-32": 7e-4}}
    assert [meant(ten, one) for one in (small, large)] == [7e-3, 1e-3]
    assert math.isnan(meant({"times": 10, "of": {}}, small))
