"""Verdicts as data: what a report writes to verdicts.json, and the ledger of all studies gathers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from finefit.analysis.decisions import seeds_to_decide
from finefit.analysis.scores import Scores, anchor
from finefit.claims.rules import Verdict
from finefit.claims.verdicts import Judged, Tested, judge, views
from finefit.jobs import readers

FILE = "verdicts.json"

Record = dict[str, Any]


def records(found: Scores) -> list[Record]:
    """Every claim of the ledger with its verdict and what decided it; numbers that do not exist are None."""
    by_metric = views(found)
    return [record(one, by_metric.get(one.claim.id, {})) for one in judge(found)]


def record(one: Judged, by_metric: dict[str, Verdict]) -> Record:
    """One claim's verdict, a finding per data set that the study could look at or lacks, and each metric's view."""
    findings = [finding(tested) for tested in one.tested]
    return {"id": one.claim.id, "verdict": one.verdict, "findings": findings, "views": by_metric}


def finding(tested: Tested) -> Record:
    """What was found on one data set: `of` which methods; `made` is the anchor of the first runs behind it."""
    found, estimate = tested.finding, tested.finding.estimate
    numbers = {
        "mean": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "p": tested.p,
        "p_equal": tested.p_equal,
        "margin": tested.margin,
    }
    known = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    open_yet = tested.verdict == "inconclusive" and not math.isnan(tested.p)
    return {
        "of": [row["variant"] for row in found.rows],
        "where": found.where,
        "metric": found.metric,
        "absent": found.absent,
        "verdict": tested.verdict,
        "seeds": estimate.count,
        **known,
        "seeds_to_decide": seeds_to_decide(estimate, tested.margin) if open_yet else None,
        "made": anchor(found.rows[0]) if found.rows else "",
    }


def write(found: Scores, folder: Path) -> None:
    """Write a study's verdicts."""
    (folder / FILE).write_text(json.dumps(records(found), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(folder: Path) -> list[Record] | None:
    """A report's verdicts as it wrote them; None where it wrote none."""
    file = folder / FILE
    return readers.content(file, "restore the kept report") if file.exists() else None
