"""The ledger of all studies: kept reports judged anew, the strongest test decides, and the README says the same."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from made_up import ROOT

from finefit.analysis import collect, kept, pairs
from finefit.analysis.statistics import Estimate
from finefit.claims import ledger, record, verdicts
from finefit.commands import reports
from finefit.exhibits import ledger as page
from finefit.report import readme
from finefit.report.pairs import as_text

MINI = ROOT / "docs/results/mini"
OLD = Path(__file__).parent / "old_mini"  # as it was before its seeds drew their own noise and its rates were tuned


@pytest.fixture
def in_root(monkeypatch):
    """The working directory is the repository's root."""
    monkeypatch.chdir(ROOT)


def test_two_seeds_of_the_old_default_study_separate_most_pairs():
    """By the residual variance that two seeds leave (spike in EVIDENCE.md, a run of its own: sd 0.093, 22 of 36)."""
    found = kept.read(OLD)
    fit = found.fit("embedded-32", "fd_probe", True)
    assert fit.used.shape == (9, 2) and fit.freedom == 8
    assert fit.pooled**0.5 == pytest.approx(0.0917, abs=1e-4)
    assert fit.least() == pytest.approx(0.374, abs=1e-3)
    every = pairs.pairs(found, "embedded-32", "fd_probe")
    assert len(every) == 36
    assert sum(abs(pair.difference.mean) > fit.least() for pair in every) == 22
    assert sum(pair.verdict in ("lower", "higher") for pair in every) >= 20
    told = as_text(found, "fd_probe")
    assert "22 of 36" in told and "seeds would decide" in told


def test_pairs_of_a_folder_are_told_where_it_has_values(in_root, capsys):
    with pytest.raises(ValueError, match="docs/results/base-photo: no values by seed"):
        reports.pairs(Path("docs/results/base-photo"))
    reports.pairs(Path("docs/results/resolution"), "class_accuracy")
    assert "halved - plain" in capsys.readouterr().out


def test_the_command_writes_ledger_and_page(in_root, tmp_path):
    before, folder = Path("README.md").read_bytes(), tmp_path / "results"
    shutil.copytree(ledger.FOLDER, folder, ignore=shutil.ignore_patterns("ledger.*"))
    reports.ledger_command(folder)
    assert Path("README.md").read_bytes() == before  # it is about docs/results
    lines, page = ledger.load(folder / "ledger.json"), (folder / "ledger.html").read_text(encoding="utf-8")
    assert page.count("<tr>") >= len(lines) >= 40
    for words in ("Limits", "evidence about a mechanism", "seeds would decide", "mini/index.html#made-"):
        assert words in page
    assert 'src="http' not in page


def test_a_report_is_judged_from_what_it_keeps_as_from_its_artifacts(made_up_study, tmp_path):
    found = collect.read("study.yaml")
    folder = tmp_path / "kept/tiny"
    folder.mkdir(parents=True)
    kept.write(found, folder)
    record.write(found, folder)
    settings = {"settings": made_up_study.report.settings}
    (folder / "provenance-0.json").write_text(json.dumps(settings))
    again = kept.read(folder)
    assert record.records(again) == record.read(folder)
    assert [pair.verdict for pair in pairs.pairs(again, "embedded-8", "fd_probe")] == [
        pair.verdict for pair in pairs.pairs(found, "embedded-8", "fd_probe")
    ]


def test_a_study_that_todays_code_cannot_read_speaks_for_itself(tmp_path, in_root):
    folder = tmp_path / "old"
    shutil.copytree(MINI, folder, ignore=shutil.ignore_patterns("*.html"))
    record.write(kept.read(folder), folder)
    (path,) = folder.glob("provenance-*.json")
    content = json.loads(path.read_text())
    content["settings"]["study"]["train"]["steps"] = "what once was a word"
    path.write_text(json.dumps(content))
    assert kept.read(folder) is None
    assert ledger.judged_again(folder) == record.read(folder)
    (folder / record.FILE).unlink()
    assert ledger.judged_again(folder) is None


def test_the_committed_ledger_is_what_the_kept_studies_say(in_root):
    lines, committed = ledger.gather(ledger.FOLDER), ledger.load(ledger.FOLDER / "ledger.json")
    advice = "run: finefit ledger"
    assert [one["id"] for one in committed] == [claim.id for claim in verdicts.read()], advice
    for ours, theirs in zip(lines, committed, strict=True):
        assert ours["verdict"] == theirs["verdict"], advice
        assert [one["study"] for one in ours["studies"]] == [one["study"] for one in theirs["studies"]], advice
        for one, other in zip(ours["studies"], theirs["studies"], strict=True):
            for seen, told in zip(one["findings"], other["findings"], strict=True):
                assert seen == pytest.approx(told, rel=1e-3, abs=1e-9, nan_ok=True) or seen["mean"] is None, advice


def test_the_readmes_verdicts_are_the_ledgers(in_root):
    page = Path("README.md").read_text(encoding="utf-8")
    file = ledger.FOLDER / "ledger.json"
    assert readme.replace_verdicts(page, file) == page, "run: finefit ledger"
    with pytest.raises(ValueError, match="no place for the table"):
        readme.replace_verdicts("# A page\n", file)
    lines = ledger.load(file)
    told = readme.verdicts(lines).splitlines()
    assert [line[3 : line.index("]")] for line in told] == list(dict.fromkeys(one["paper"] for one in lines))
    ours = Counter(one["verdict"] for one in lines if one["paper"] == "DiffFit")
    (row,) = (line for line in told if line.startswith("- [DiffFit]"))
    assert {name: int(number) for number, name in re.findall(r"(\d+) ((?:not |equal |incon|repro)[\w ]+)", row)} == ours
    before, lines[0]["verdict"] = lines[0]["verdict"], "equal within the margin"
    assert readme.verdicts(lines) != "\n".join(told) + "\n" and before != lines[0]["verdict"]


def finding(mean: float, metric: str, seeds: int, half: float = 1.0) -> dict:
    """A recorded finding."""
    estimate = Estimate(mean, half, 4, seeds)
    return {"metric": metric, "seeds": seeds, "mean": mean, "low": mean - half, "high": mean + half} | {
        "p": estimate.p, "p_equal": None, "margin": 0.1, "verdict": "inconclusive", "seeds_to_decide": None,
        "of": ["difffit", "full"], "where": "somewhere", "absent": "", "made": "made-a",
    }  # fmt: skip


def test_the_strongest_test_is_told_by_its_design_alone(in_root):
    claim = next(one for one in verdicts.read() if one.id == "difffit-beats-full")

    def study(name: str, verdict: str, *findings: dict) -> dict:
        return {
            "study": name,
            "page": f"{name}/index.html",
            "id": claim.id,
            "verdict": verdict,
            "findings": [*findings],
        }

    studies = [
        study("narrow", "reproduced", finding(-0.1, "fd_probe", 3, 0.1)),  # though it found little
        study("wide", "not reproduced", finding(-5, "fd_probe", 3, 1.0)),
        study("few seeds", "reproduced", finding(-5, "fd_probe", 2, 0.01)),
        study("published metric", "inconclusive", finding(-5, "fid", 2, 4.0)),
    ]
    ordered = sorted(studies, key=lambda one: ledger.strength(claim, one), reverse=True)
    assert [one["study"] for one in ordered] == ["published metric", "narrow", "wide", "few seeds"]
    shown = page.row(ledger.line(claim, ordered))
    assert "inconclusive" in shown[1]
    assert 'href="narrow/index.html#made-a"' in shown[3] and "not reproduced" in shown[3]
    assert "difffit − full; study narrow; somewhere; fd_probe; 3 seeds" in shown[3]
    assert "Margin: 1.3 %" in shown[4] and "FID Lottery" in shown[4]


def test_links_of_the_ledger_lead_to_what_is_kept():
    for one in ledger.load(ROOT / ledger.FOLDER / "ledger.json"):
        for study in one["studies"]:
            page = ROOT / ledger.FOLDER / study["page"]
            text = page.read_text(encoding="utf-8")
            assert page.suffix == ".csv" or all(
                f'id="{seen["made"]}"' in text for seen in study["findings"] if seen["made"]
            )
