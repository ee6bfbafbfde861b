"""What the first page says of somebody's own pictures, from numbers that are made up."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest
from made_up import finished
from tiny import ROOT

from finefit.analysis import collect
from finefit.analysis.own import Recognised, is_own, recognised
from finefit.claims import verdicts
from finefit.exhibits import claims
from finefit.report import own

NAMES = [f"class &lt;{number}&gt;" for number in range(6)]  # as a page writes them


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for _ in finished(tmp_path_factory.mktemp("own"), patch):
            for module in (own, claims):
                patch.setattr(module, "is_own", lambda found: True)  # the made-up study's are drawn
            yield collect.read("study.yaml")


@pytest.fixture
def finding(found):
    """The sentences on the first row."""
    return re.search(r'<p class="finding">(.*?)</p>', own.can_be_told(found))[1]


def test_what_the_judge_names_of_samples_stands_beside_what_it_names_of_real_pictures(finding):
    """Shares of samples 1, 1/2, 0, 0, 0, 1/4, so 29 % in all; of real pictures 90 %, and of class 3 a quarter."""
    assert "A judge (probe) names 29 % of the samples rightly, and 90 % of real pictures" in finding
    assert "guessing names 17 %." in finding
    assert f"Of 6 classes, 2 can be told in at least half of their samples: {NAMES[0]}, {NAMES[1]}." in finding
    assert f"2 can be told in real pictures and in no sample: {NAMES[2]}, {NAMES[4]}." in finding
    assert f"Of 1 the judge itself does not know the real pictures: {NAMES[3]}." in finding
    assert "before much is read" not in finding


def test_a_judge_that_knows_too_little_says_so(found, monkeypatch):
    classes = recognised(found, "embedded-8", found.main.iloc[0]).classes
    assert "It should know 75 % of these" in own.sentence(found, Recognised(0.6, 0.75, classes))


def test_the_worst_classes_are_those_that_samples_lose(found):
    """Real minus samples: 0, 1/4, 1/2, 1/4, 1, 1/2."""
    rows = re.findall(r'<table class="worst">.*?</table>', own.worst(found), re.DOTALL)[0]
    heads = re.findall(r'<th scope="row">(.*?)</th>', rows)
    assert heads == [NAMES[number] for number in (4, 2, 5, 1, 3, 0)]
    assert re.findall(r"<td>(.*?)</td>", rows)[:2] == ["100 %", "0 %"]


def test_every_first_sample_stands_above_the_real_picture_nearest_to_it(found):
    text = own.beside_nearest(found)
    figures = re.findall(r"<figure>(.*?)</figure>", text)
    assert len(figures) == 3 * len(own.main_rows(found)) and all(one.count("<img") == 2 for one in figures)
    assert f"<figcaption>{NAMES[0]}</figcaption>" in figures[0] and 'alt="1 sample of class &lt;0&gt;"' in figures[0]


def test_how_to_go_on_names_what_the_study_has_now(found):
    text = own.further(found)
    assert "sample: {scale: 4}  # now 1.5" in text and "train: {steps: 40}  # now 20" in text and "A GPU" in text


@pytest.mark.parametrize(("base", "other"), [("base-mini-32", "base-photo-32"), ("base-photo-32", "base-mini-32")])
def test_another_base_is_the_shipped_one_that_the_study_does_not_have(found, monkeypatch, base, other):
    study = found.study.model_copy(update={"base": found.study.base.model_copy(update={"weights": base})})
    text = own.further(SimpleNamespace(study=study))
    assert f"base: {{size: Mini, patch: 2, weights: {other}}}" in text and f"weights: {base}}}" not in text


def test_what_is_not_made_is_pending(found, monkeypatch):
    for job in (found.judging("embedded-8")["probe"],):
        file = job.path / "known.csv"
        kept = file.read_text()
        file.unlink()
        try:
            assert "pending" in own.can_be_told(found) and "pending" in own.worst(found)
        finally:
            file.write_text(kept)


def test_nothing_of_it_stands_on_a_page_of_other_pictures(found, monkeypatch):
    monkeypatch.setattr(own, "is_own", is_own)
    assert own.opening(found).data == ""


def test_a_page_of_own_pictures_opens_with_samples_beside_the_nearest_real_ones(found):
    titles = re.findall(r"<h2.*?>(.*?)</h2>", own.opening(found).data)
    assert titles == ["Your pictures", "What can be told", "Classes that came out worst", "How to go on"]


def test_nothing_but_the_title_stands_above_them():
    cells = [cell["source"] for cell in json.loads((ROOT / "notebooks/study.ipynb").read_text())["cells"]]
    assert cells.index("own.opening(results)") == cells.index("overview.title(results)") + 1


def judged(rows: list) -> list:
    """A ledger of one claim with one finding, made from these rows."""
    finding = SimpleNamespace(rows=rows, absent="", estimate=SimpleNamespace(count=1))
    return [SimpleNamespace(tested=[SimpleNamespace(finding=finding)], verdict="reproduced", claim=None)]


def test_claims_stand_on_a_page_of_own_pictures_only_where_runs_test_one(found, monkeypatch):
    """A count of parameters, which is made from no run, asks for no page."""
    for module in (verdicts, claims):
        monkeypatch.setattr(module, "judge", lambda found: judged([]))
    assert not verdicts.tests_any(found) and claims.summary(found).data == ""
    monkeypatch.setattr(verdicts, "judge", lambda found: judged(["a run"]))
    assert verdicts.tests_any(found)
    monkeypatch.setattr(claims, "rows", lambda run: "the claims")
    assert "the claims" in claims.summary(found).data
