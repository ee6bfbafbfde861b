"""The claims ledger: verdicts follow the data, rules decide as they say, and the ledger itself is whole."""

from __future__ import annotations

import json
import math

import pytest
from made_up import ROOT

from finefit.report import claims, collect, ledger, rules
from finefit.report.statistics import Estimate


@pytest.fixture(autouse=True)
def forget():
    """Verdicts are computed once for each `Results`; a test's own are its own."""
    claims.judge.cache_clear()


def verdicts() -> dict[str, claims.Judged]:
    return {one.claim.id: one for one in claims.judge(collect.read("study.yaml"))}


def score(plan, entry: str, metric: str, by_seed: list[float]) -> None:
    """Give an entry's runs at the main scale a metric, a value per seed, and no resamples of classes."""
    for job in plan.kind("evaluate"):
        if f"/{entry}-s" in job.name and "superclass-1.5" in job.name + "superclass-1.5" * (entry == "full"):
            path = job.path / "metrics.json"
            seed = job.inputs["sample"].inputs["run"].settings["seed"]
            path.write_text(json.dumps(json.loads(path.read_text()) | {metric: by_seed[seed]}))
        (job.path / "bootstrap.csv").unlink(missing_ok=True)


def test_a_claim_whose_data_is_altered_flips_its_verdict(made_up_study):
    seen = []
    for ours in ([5.0, 6.0001], [15.0, 16.0001]):
        score(made_up_study, "finediffusion", "fd_probe", ours)
        score(made_up_study, "full", "fd_probe", [10.0, 11.0])
        claims.judge.cache_clear()
        seen.append(verdicts()["finediffusion-beats-full"])
    assert [one.verdict for one in seen] == ["reproduced", "not reproduced"]
    assert seen[0].findings[0].estimate.mean == pytest.approx(-4.99995)
    score(made_up_study, "finediffusion", "fd_probe", [5.0, 16.0])
    claims.judge.cache_clear()
    assert verdicts()["finediffusion-beats-full"].verdict == "inconclusive"


def test_a_claim_with_missing_runs_is_not_run(made_up_study):
    for job in made_up_study.kind("evaluate"):
        if "/full-" in job.name:
            job.marker.unlink()
    found = verdicts()
    assert found["finediffusion-beats-full"].verdict == "not run yet"
    assert found["difffit-beats-bitfit"].verdict == "not run at this size"
    assert found["finediffusion-inat-fid"].verdict == "not run at this size"
    assert found["finediffusion-share"].verdict == "reproduced"
    page = ledger.every_claim(collect.read("study.yaml")).data
    assert "no difffit in this study" in page and "not run yet" in page
    assert page.count("<tr>") == len(found) + 1


def test_guidances_of_one_run_are_told_apart_by_their_samples(made_up_study):
    found = verdicts()["superclass-guidance"].findings
    assert [row["guidance"] for row in found[0].rows] == ["superclass", "null"]
    assert {row["entry"] for row in found[0].rows} == {"finediffusion"}


def interval(low: float, high: float) -> Estimate:
    """An estimate whose 95 % interval is the given one."""
    return Estimate((low + high) / 2, (high - low) / 2 / 1.959963984540054, math.inf, 5)


@pytest.mark.parametrize(
    ("rule", "found", "p", "published", "expected"),
    [
        ("prints_as", Estimate(1.7726, 0, math.inf, 2), math.nan, "1.77", "reproduced"),
        ("prints_as", Estimate(0.8352, 0, math.inf, 2), math.nan, "0.83", "reproduced"),
        ("prints_as", Estimate(0.8452, 0, math.inf, 2), math.nan, "0.83", "not reproduced"),
        ("near", interval(9.6, 10.0), math.nan, "9.776", "reproduced"),
        ("near", interval(9.6, 11.0), math.nan, "9.776", "inconclusive"),
        ("near", interval(11.0, 12.0), math.nan, "9.776", "not reproduced"),
        ("at_least", interval(1.6, 1.9), math.nan, "1.56", "reproduced"),
        ("at_least", interval(1.1, 1.5), math.nan, "1.56", "not reproduced"),
        ("at_least", Estimate(1.9, math.nan, math.nan, 1), math.nan, "1.56", "inconclusive"),
        ("lower", interval(-3, -1), 0.01, "", "reproduced"),
        ("lower", interval(-3, -1), 0.06, "", "inconclusive"),
        ("higher", interval(-3, -1), 0.01, "", "not reproduced"),
        ("falls", interval(-0.6, -0.4), math.nan, "", "reproduced"),
        ("falls", interval(-0.6, 0.1), math.nan, "", "inconclusive"),
    ],
)
def test_rules_decide_as_they_say(rule, found, p, published, expected):
    assert rules.RULES[rule](found, p, published) == expected


def test_data_sets_that_disagree_decide_nothing():
    assert rules.together(["reproduced", "inconclusive"]) == "reproduced"
    assert rules.together(["reproduced", "not reproduced"]) == "inconclusive"
    assert rules.together(["not run yet", "not run yet"]) == "not run yet"


def test_the_ledger_is_whole():
    stated = claims.read(ROOT / claims.LEDGER)
    assert len(stated) >= 20
    assert {claim.paper for claim in stated} == {"FineDiffusion", "DiffFit"}
    assert all(rules.text(claim.rule).startswith("Reproduced if") for claim in stated)
    tested_by_digits = [claim for claim in stated if claim.rule in ("prints_as", "near", "at_least")]
    assert all(float(claim.published) for claim in tested_by_digits)


def test_faults_of_the_ledger_name_the_claim(tmp_path):
    file = tmp_path / "claims.yaml"
    claim = "id: some-claim, paper: DiffFit, claim: c, source: s, certainty: printed, rule: guess, measure: {}"
    file.write_text(f"- {{{claim}}}")
    with pytest.raises(ValueError, match=r"claims.yaml: claim some-claim: rule"):
        claims.read(file)
