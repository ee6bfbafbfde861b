"""What benchmarks stand on: an encoder of the published size, failures that do not stop the others, and coverage."""

import importlib
import json
import math
import time
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.speed import gpu
from benchmarks.speed.encoder import encoder
from benchmarks.speed.goals import answers
from benchmarks.speed.measuring import in_turns, ratio
from benchmarks.speed.tables import DOCUMENTS, RESULTS, ROOT, rendered
from benchmarks.truth import coverage, processes
from finefit.analysis.blocks import Fit


def test_encoder_has_the_published_size():
    """AutoencoderKL's 83,653,863 parameters without decoder (49,490,179) and two 1 x 1 convolutions (72 and 20)."""
    network = encoder()
    assert sum(parameter.numel() for parameter in network.parameters()) == 83_653_863 - 49_490_179 - 72 - 20
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 8, 4, 4)


def test_contestant_that_cannot_run_is_named_and_left_out():
    def broken():
        raise OSError("no compiler")

    times = in_turns({"good": lambda: lambda: None, "bad": broken}, rounds=3, limit=60, device="cpu")
    assert len(times["good"]["seconds"]) == 3
    assert times["bad"] == {"failed": "OSError: no compiler"}
    assert ratio(times["bad"], times["good"]) is None


@pytest.mark.parametrize(("value", "met"), [(2.6, True), (2.4, False), (None, False)])
def test_goals_judge_the_median(value, met):
    found = {"machine": {"kind": "gpu"}, "training": {"ratios": {"over baseline": value and {"median": value}}}}
    (row,) = answers(found)
    assert (row["goal"], row["met"]) == ("at least 2.5", met)


def test_compiling_pays_after_as_many_pictures_as_earn_its_seconds():
    """At 10 and 20 pictures a second a picture earns 0.05 s: 30 more seconds of a first act, 600 pictures."""
    rows = [
        {"row": "train full at 256, eager", "pictures_per_second": 10.0, "first_seconds": 2.0},
        {"row": "plain step", "failed": "OutOfMemoryError"},
        {"row": "train full at 256, compiled", "pictures_per_second": 20.0, "first_seconds": 32.0},
    ]
    assert gpu.conclusions(rows) == {
        "train full at 256, compiled: over eager": 2.0,
        "train full at 256, compiled: pays after pictures": pytest.approx(600),
    }


def test_a_row_that_cannot_run_says_why():
    def missing():
        raise ModuleNotFoundError("No module named 'diffusers'")

    found = gpu.measured(gpu.Row("decode", 2, missing, 2), "cpu", 1.0)
    assert found == {"row": "decode", "batch": 2, "failed": "ModuleNotFoundError: No module named 'diffusers'"}
    found = gpu.measured(gpu.Row("sleep", 2, lambda: lambda: time.sleep(0.001), 2, 5.0), "cpu", 10.0)
    assert found["share_of_matrix_rate"] == pytest.approx(0.5 * found["pictures_per_second"])


@pytest.mark.parametrize(
    ("document", "tables"),
    list(zip(DOCUMENTS, (9, 2, 3, 1), strict=True)),
    ids=["performance", "data", "processes", "photographs"],
)
def test_tables_of_documents_are_those_of_the_results(document, tables):
    text = document.read_text(encoding="utf-8")
    assert rendered(text) == text
    assert text.count("<!-- end -->") >= tables


KINDS = ("pairs", "means", "contrasts")
PROMISED = ("normal", "heavy-tailed (t, 3 df)", "one method 3 times as variable")


def test_intervals_hold_together_as_often_as_is_kept():
    """The kept simulation: 4,000 tables of each kind, so a share of 94 % is known to 0.4 %."""
    rows = json.loads(coverage.RESULTS.read_text())["rows"]
    assert {row["residuals"] for row in rows} == set(coverage.RESIDUALS)
    held = {(row["residuals"], row["methods"], row["blocks"], kind): row[kind] for row in rows for kind in KINDS}
    assert {where: share for where, share in held.items() if where[0] in PROMISED and share < 0.94} == {}
    assert all(share > 0.93 for share in held.values())
    loud = [row["after Brown-Forsythe"] for row in rows if row["residuals"] == PROMISED[2] and row["blocks"] == 3]
    assert min(loud) < 0.9  # what the pooled variance alone would promise in vain


@pytest.mark.parametrize("residuals", PROMISED)
def test_intervals_hold_together(residuals):
    found = coverage.simulated(coverage.RESIDUALS[residuals], 9, 3, 300, seed=7)
    assert min(found[kind] for kind in KINDS) >= 0.94 - 2 * math.sqrt(0.94 * 0.06 / 300)


def test_the_simulation_asks_the_intervals_that_reports_print():
    random = np.random.default_rng(8)
    for _ in range(40):
        residuals, seeds = 2 * random.standard_t(2, (4, 3)), random.normal(0, 5, 3)
        fit = Fit(pd.DataFrame(residuals + seeds, list("0123")))
        every = [fit.difference(*pair) for pair in combinations("0123", 2)]
        named = [fit.contrast({"0": 1, other: -1}).among(3) for other in "123"]
        held = coverage.holds(residuals, seeds)
        assert held[0] == all(one.low <= 0 <= one.high for one in every)
        assert held[2] == all(one.low <= 0 <= one.high for one in named)


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks").glob("*/*.py")), ids=lambda file: file.stem)
def test_every_benchmark_can_be_imported(file):
    """They run for minutes where others wait: a name that has moved shows here."""
    importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))


def test_the_order_of_methods_by_either_process_is_that_of_the_kept_pages():
    kept = json.loads((RESULTS / "order-processes.json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(processes.order())) == kept
