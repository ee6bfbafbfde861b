"""What benchmarks stand on: an encoder of the published size, and failures that do not stop the others."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from encoder import encoder  # noqa: E402
from goals import answers  # noqa: E402
from measuring import in_turns, ratio  # noqa: E402
from tables import DOCUMENTS, rendered  # noqa: E402


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


@pytest.mark.parametrize(("document", "tables"), [(DOCUMENTS[0], 4), (DOCUMENTS[1], 2)], ids=["performance", "data"])
def test_tables_of_documents_are_those_of_the_results(document, tables):
    text = document.read_text(encoding="utf-8")
    assert rendered(text) == text
    assert text.count("<!-- end -->") >= tables
