"""Scores over what data sets differ in: the number is found, and whom nothing beats is told at each of its values."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
import yaml
from made_up import MadeUpScores

from finefit.analysis.scores import COST, RUN
from finefit.analysis.trends import unbeaten, varied
from finefit.claims.selection import meant
from finefit.study import reading

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
        ([{"shift": 1.0}, {"shift": 0.25}], ("shift", {"set-1-32": 0.25, "set-0-32": 1.0})),
        ([{"train_per_class": 8}, {"train_per_class": 32}], ("train_per_class", {"set-0-32": 8, "set-1-32": 32})),
        ([{"shift": 1.0}], None),
        ([{"shift": 1.0}, {"shift": 1.0}], None),
        ([{"shift": 1.0}, {"train_per_class": 8}], None),
    ],
)
def test_the_one_number_that_data_sets_differ_in_is_found(options, expected):
    assert varied(study(*options)) == expected


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
    assert sorted(unbeaten(found, "set-0-32")) == ["bitfit", "full"]
    assert unbeaten(found, "set-1-32") == ["full"]


def test_a_claim_may_ask_by_depth_and_by_the_bases_rate():
    small, large = reading.load(ROOT / "studies/depth.yaml"), reading.load(ROOT / "studies/difffit-depth.yaml")
    assert [meant("first half", one) for one in (small, large)] == [(1, 3), (1, 14)]
    assert [meant("second half", one) for one in (small, large)] == [(4, 6), (15, 28)]
    ten = {"times": 10, "of": {"dit-xl-2-256": 1e-4, "base-mini-32": 7e-4}}
    assert [meant(ten, one) for one in (small, large)] == [7e-3, 1e-3]
    assert math.isnan(meant({"times": 10, "of": {}}, small))
