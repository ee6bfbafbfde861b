"""The claims ledger: verdicts follow the data, rules decide as they say, and the ledger itself is whole."""

from __future__ import annotations

import json
import math

import pytest
from made_up import ROOT

from finefit.analysis import collect
from finefit.analysis.blocks import NAMED
from finefit.analysis.statistics import Estimate
from finefit.claims import rules, verdicts
from finefit.exhibits import claims


@pytest.fixture(autouse=True)
def forget():
    """Verdicts are computed once for each `Results`; a test's own are its own."""
    verdicts.judge.cache_clear()


def judged() -> dict[str, verdicts.Judged]:
    return {one.claim.id: one for one in verdicts.judge(collect.read("study.yaml"))}


def score(plan, entry: str, metric: str, by_seed: list[float]) -> None:
    """Give an entry's runs at the main scale a metric, a value per seed."""
    for job in plan.kind("evaluate"):
        if f"/{entry}-s" in job.name and job.name.endswith("-1.5"):
            path = job.path / "metrics.json"
            seed = job.inputs["sample"].inputs["run"].settings["seed"]
            path.write_text(json.dumps(json.loads(path.read_text()) | {metric: by_seed[seed]}))


def test_a_claim_whose_data_is_altered_flips_its_verdict(made_up_study):
    seen = []
    score(made_up_study, "full", "fd_probe", [10.0, 11.0])
    score(made_up_study, "flat", "fd_probe", [10.002, 10.999])  # seeds differ alike: a small residual variance
    for ours in ([5.0, 6.0001], [15.0, 16.0001], [10.001, 11.0011], [5.0, 16.0]):
        score(made_up_study, "finediffusion", "fd_probe", ours)
        verdicts.judge.cache_clear()
        seen.append(judged()["finediffusion-beats-full"])
    expected = ["reproduced", "not reproduced", "equal within the margin", "inconclusive"]
    assert [one.verdict for one in seen] == expected
    assert seen[0].tested[0].finding.estimate.mean == pytest.approx(-4.99995)
    assert seen[2].tested[0].margin == pytest.approx(0.013 * 10.5)
    assert "seeds would decide" in claims.every_claim(collect.read("study.yaml")).data


def test_a_claim_with_missing_runs_is_not_run(made_up_study):
    for job in made_up_study.kind("evaluate"):
        if "/full-" in job.name:
            job.marker.unlink()
    found = judged()
    assert found["finediffusion-beats-full"].verdict == "not run yet"
    assert found["difffit-beats-bitfit"].verdict == "not run at this size"
    assert found["finediffusion-inat-fid"].verdict == "not run at this size"
    assert found["finediffusion-share"].verdict == "reproduced"
    page = claims.every_claim(collect.read("study.yaml")).data
    assert "no difffit in this study" in page and "not run yet" in page
    assert page.count("<tr>") == len(found) + 1


def test_guidances_of_one_run_are_told_apart_by_their_samples(made_up_study):
    found = judged()["superclass-guidance"].tested[0].finding
    assert [row["guidance"] for row in found.rows] == ["superclass", "null"]
    assert {row["entry"] for row in found.rows} == {"finediffusion"}


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
    assert rules.RULES[rule](rules.Evidence(found, published, p)) == expected


@pytest.mark.parametrize(
    ("rule", "mean", "p", "p_equal", "expected"),
    [
        ("lower", -0.1, 0.2, 0.01, "equal within the margin"),
        ("lower", -0.1, 0.01, 0.01, "reproduced"),  # what is claimed is a direction, however small
        ("lower", -0.1, 0.2, 0.2, "inconclusive"),
        ("as_good", -0.1, 0.2, 0.01, "equal within the margin"),
        ("as_good", 0.1, 0.01, 0.01, "equal within the margin"),  # worse, and by less than counts
        ("as_good", 0.1, 0.01, 0.2, "not reproduced"),
        ("as_good", -0.1, 0.01, 0.2, "reproduced"),
        ("as_good", 0.1, 0.2, 0.2, "inconclusive"),
        ("as_good", 0.1, math.nan, math.nan, "inconclusive"),
    ],
)
def test_equality_is_tested_and_not_concluded_from_nothing(rule, mean, p, p_equal, expected):
    assert rules.RULES[rule](rules.Evidence(Estimate(mean, 0.1, 8, 3), "", p, p_equal)) == expected


def test_differences_of_the_ledger_are_corrected_together(made_up_study):
    tested = [one for judged in judged().values() for one in judged.tested if not math.isnan(one.p)]
    raw = [one.finding.estimate.p for one in tested]  # Bonferroni's, since these are told together
    assert len(tested) > 3
    assert all(one.p <= bonferroni for one, bonferroni in zip(tested, raw, strict=True))
    counts = {one.finding.estimate.tests for one in tested}
    assert counts == {NAMED * len(tested)}


def test_data_sets_that_disagree_decide_nothing():
    assert rules.together(["reproduced", "inconclusive"]) == "reproduced"
    assert rules.together(["reproduced", "not reproduced"]) == "inconclusive"
    assert rules.together(["equal within the margin", "inconclusive"]) == "equal within the margin"
    assert rules.together(["equal within the margin", "reproduced"]) == "inconclusive"
    assert rules.together(["not run yet", "not run yet"]) == "not run yet"


def test_the_ledger_is_whole():
    stated = verdicts.read(ROOT / verdicts.LEDGER)
    assert len(stated) >= 20
    assert {claim.paper for claim in stated} == {"FineDiffusion", "DiffFit", "Domain Guidance", "Diff-Tuning", "DogFit"}
    assert all(rules.text(claim.rule).startswith(("Reproduced if", "Equal within the margin")) for claim in stated)
    assert all((claim.margin is not None) == (claim.rule in rules.DIFFERENCES) for claim in stated)
    assert {claim.id for claim in stated if claim.rule == "as_good"} == {"controlnet"}
    tested_by_digits = [claim for claim in stated if claim.rule in ("prints_as", "near", "at_least")]
    assert all(float(claim.published) for claim in tested_by_digits)


def test_faults_of_the_ledger_name_the_claim(tmp_path):
    file = tmp_path / "claims.yaml"
    claim = "id: some-claim, paper: DiffFit, claim: c, source: s, certainty: printed, rule: guess, measure: {}"
    file.write_text(f"- {{{claim}}}")
    with pytest.raises(ValueError, match=r"claims.yaml: claim some-claim: rule"):
        verdicts.read(file)
    whole = claim.replace("guess", "lower").replace("{}", "{difference: {}}")
    file.write_text(f"- {{{whole}}}")
    with pytest.raises(ValueError, match="claim some-claim.*a margin belongs to rules of differences"):
        verdicts.read(file)
    file.write_text(f"- {{{whole}, margin: {{share: 0.02, because: known}}}}")
    assert verdicts.read(file)[0].margin.share == 0.02
