"""A paper's column beside a study's: places, and differences in spreads between seeds."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from made_up import MadeUpScores

from finefit.analysis.scores import COST, RUN
from finefit.claims.orders import column
from finefit.exhibits import orders
from finefit.study import reading

ROOT = Path(__file__).parents[1]
PAPER = {  # DiffFit's Table 1, Caltech-101
    "DiffFit": 33.84, "AdaptFormer": 34.17, "BitFit": 34.21, "full fine-tuning": 35.25, "VPT-Deep": 42.78,
    "LoRA-R8": 86.05, "LoRA-R16": 86.51,
}  # fmt: skip
HERE = {  # what this study is to have found: full fine-tuning first, the rest as in the paper
    "full": 10.0, "difffit": 20.0, "adaptformer": 30.0, "bitfit": 40.0, "vpt": 50.0, "lora-8": 60.0, "lora-16": 70.0,
    "finediffusion": 80.0,
}  # fmt: skip
R = 0.5  # every residual, up in one seed and down in the other


def scores(seeds: int) -> MadeUpScores:
    content = yaml.safe_load((ROOT / "studies/caltech.yaml").read_text())
    content["seeds"] = list(range(seeds))
    content["evaluate"]["judges"] = []
    content["methods"]["finediffusion"]["guidance"] = ["null"]
    study = reading.parse(content, "study.yaml")
    rows = []
    for place, (entry, value) in enumerate(HERE.items()):
        for seed in range(seeds):
            row = {"group": "caltech101-32", "variant": entry, "entry": entry, "guidance": "null", "scale": 1.5}
            row |= {"main": True, "seed": seed, "state": "done"} | dict.fromkeys((*RUN, *COST), math.nan)
            up = (-1) ** (place + seed) if seeds == 2 else 0
            rows.append(row | {"fd_probe": value + 3.0 * seed + R * up})
    found = MadeUpScores(study, pd.DataFrame(rows))
    return MadeUpScores(study, found.evaluations.reindex(columns=dict.fromkeys([*found.evaluations, *found.metrics])))


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def cells(html: str) -> list[list[str]]:
    """The texts of a table's rows."""
    rows = re.findall(r"<tr>(.*?)</tr>", html)[1:]
    return [
        [re.sub(r"<[^>]+>", " ", cell).split() for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)] for row in rows
    ]


def test_the_papers_column_stands_in_its_order():
    known = column(scores(2), "DiffFit", "caltech101-32")
    assert {line.name: line.value for line in known} == PAPER
    assert [line.name for line in known] == sorted(PAPER, key=PAPER.get)


def test_places_and_differences_in_spreads():
    """Of m methods with residuals of R in two seeds the variance is 2 m R^2 / (m - 1), on m - 1 degrees of freedom."""
    shown = cells(orders.beside(scores(2), "DiffFit").data)
    spread = R * math.sqrt(2 * len(HERE) / (len(HERE) - 1))
    assert [row[2] for row in shown] == [["2"], ["3"], ["4"], ["1"], ["5"], ["6"], ["7"]]
    assert shown[0][3] == []
    found = [float(row[3][0].replace("−", "-")) for row in shown[1:]]
    assert found == pytest.approx([d / spread for d in (10, 20, -10, 30, 40, 50)], rel=5e-3)
    assert [row[4] for row in shown[1:]] == [["higher"], ["higher"], ["lower"], ["higher"], ["higher"], ["higher"]]


def test_the_pairs_that_have_the_papers_order_are_counted():
    """Full fine-tuning passes three methods that the paper has before it: 18 of 21 pairs."""
    assert "18 of 21 pairs of methods have the paper's order; of the 21 that the seeds separate, 18 do." in (
        orders.beside(scores(2), "DiffFit").data
    )


def test_one_seed_has_places_and_no_spread():
    shown = cells(orders.beside(scores(1), "DiffFit").data)
    assert [row[2] for row in shown][:2] == [["2"], ["3"]]
    assert shown[1][3:] == [["–"], ["one", "seed"]]


def test_no_value_of_the_study_stands_beside_a_value_of_the_paper():
    """Places and differences alone: neither the paper's FID nor the study's distance is printed."""
    text = orders.beside(scores(2), "DiffFit").data
    assert not any(f"{value:.2f}" in text or f"{value:.1f}" in text for value in PAPER.values())
    assert "31.5" not in text and "21.5" not in text  # means over seeds


def test_data_that_the_paper_lacks_are_told():
    found = scores(2)
    found.groups["caltech101-32"]["data"] = "embedded"
    assert "No data set of this study has a column in DiffFit" in orders.beside(found, "DiffFit").data
