"""The ledger by what the pictures are: verdicts of the strongest test in each domain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from finefit.claims import domains, ledger
from finefit.exhibits.domains import side_by_side
from finefit.study import reading

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def line(*studies: dict) -> dict:
    """A line of the ledger with its studies, the strongest first."""
    return {"id": "a-claim", "claim": "One is nearer than the other.", "paper": "DiffFit", "studies": [*studies]}


def study(of: dict[str, str], **verdicts: str) -> dict:
    """A study with a domain for each of its groups, and a verdict for some of these."""
    return {"domains": of, "findings": [{"where": group, "verdict": verdict} for group, verdict in verdicts.items()]}


DRAWN, BOUGHT, MIXED = {"drawn": "drawings"}, {"bought": "groceries"}, {"drawn": "drawings", "bought": "groceries"}


def test_each_domain_has_the_verdict_of_its_strongest_test():
    known = line(
        study(DRAWN, drawn="reproduced"), study(MIXED, drawn="not reproduced", bought="inconclusive"),
        study(BOUGHT, bought="reproduced"),
    )  # fmt: skip
    assert domains.verdicts(known) == {"drawings": "reproduced", "groceries": "inconclusive"}


def test_a_study_that_lacks_what_a_claim_is_about_tests_it_in_no_domain():
    known = line(study(DRAWN, drawn="not run at this size"), study({}, bought="reproduced"))
    assert domains.verdicts(known) == {}


@pytest.mark.parametrize(
    "verdicts, told",
    [
        (["reproduced", "reproduced", "inconclusive"], "in all"), (["reproduced", "not reproduced"], "in 1 of 2"),
        (["not reproduced", "equal within the margin"], "in none"), (["reproduced", "inconclusive"], ""),
    ],
)  # fmt: skip
def test_in_how_many_domains_a_claim_holds_is_said_of_those_that_decide(verdicts, told):
    assert domains.held({str(place): verdict for place, verdict in enumerate(verdicts)}) == told


def test_domains_stand_side_by_side_once_there_are_two():
    known = line(study(DRAWN, drawn="reproduced"), study(BOUGHT, bought="not reproduced"))
    text = side_by_side([known, line() | {"id": "untested"}]).data
    assert re.findall(r'<th scope="col">([^<]*)', text) == ["claim", "paper", "drawings", "groceries", "holds"]
    assert "in 1 of 2" in text and text.count("<tr>") == 2
    alone = side_by_side([line(study(DRAWN, drawn="reproduced"))]).data
    assert "All kept studies are of drawings: no claim is tested in two domains yet." in alone


@pytest.mark.parametrize(
    "name, told", [("grocery", "Grocery Store"), ("caltech", "Caltech-101"), ("depth", "drawings")]
)
def test_a_studys_pictures_are_what_their_publishers_call_them(name, told):
    asked = reading.load(Path(f"studies/{name}.yaml"))
    assert {domains.of_data(asked, one) for one in asked.data} == {told}


def test_kept_studies_say_what_their_pictures_are():
    assert domains.of_folder(ledger.FOLDER / "fewshot") == dict.fromkeys(
        ("few-2-32", "few-8-32", "few-32-32", "embedded-32"), "drawings"
    )
    assert domains.of_folder(ledger.FOLDER / "base-photo") == {}
