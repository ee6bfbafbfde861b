"""The claims ledger: claims.yaml read, measured on a study's results, and judged by rules."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import TypeAdapter, ValidationError

from finefit.config import Strict
from finefit.report import rules
from finefit.report.collect import Results
from finefit.report.measures import MEASURES, Finding
from finefit.report.statistics import holm

LEDGER = Path("claims.yaml")
CORRECTED = ("lower", "higher")  # rules that test a difference


class Claim(Strict):
    """One claim as claims.yaml states it."""

    id: str
    paper: Literal["FineDiffusion", "DiffFit"]
    claim: str
    published: str = ""
    unit: str = ""
    source: str
    certainty: Literal["printed", "figure", "second-hand", "deduced"]
    rule: Literal["prints_as", "near", "at_least", "falls", "lower", "higher"]
    measure: dict[Literal["count", "parts", "value", "difference", "ratio", "theory"], dict[str, Any]]


@dataclass(frozen=True)
class Judged:
    """A claim, what was found (a finding per data set) with p-values after correction, and the verdict."""

    claim: Claim
    findings: list[Finding]
    p_values: list[float]
    verdict: rules.Verdict


def read(path: Path = LEDGER) -> list[Claim]:
    """The ledger.

    Raises:
        ValueError: the file is missing or a claim has faults; the message names file, claim and key.
    """
    if not path.is_file():
        raise ValueError(f"{path}: the claims ledger is missing; reports are made from the repository's root")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        claims = TypeAdapter(list[Claim]).validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = first["loc"][0] if first["loc"] else 0
        name = content[place].get("id", place) if isinstance(content, list) else "?"
        raise ValueError(f"{path}: claim {name}: {'.'.join(map(str, first['loc'][1:]))}: {first['msg']}") from None
    repeated = [name for name, times in Counter(claim.id for claim in claims).items() if times > 1]
    if repeated:
        raise ValueError(f"{path}: claim {repeated[0]} stands twice; give each its own id")
    return claims


@cache
def judge(found: Results) -> list[Judged]:
    """Every claim with its verdict; the differences of the whole ledger are corrected together (Holm)."""
    claims = read()
    findings = []
    for claim in claims:
        ((measure, asked),) = claim.measure.items()
        findings.append(MEASURES[measure](found, asked))
    tested = [(i, j) for i, c in enumerate(claims) if c.rule in CORRECTED for j in range(len(findings[i]))]
    corrected = dict(zip(tested, holm([findings[i][j].estimate.p for i, j in tested]), strict=True))
    judged = []
    for i, claim in enumerate(claims):
        p_values = [corrected.get((i, j), math.nan) for j in range(len(findings[i]))]
        verdicts = [verdict(claim, one, p) for one, p in zip(findings[i], p_values, strict=True)]
        judged.append(Judged(claim, findings[i], p_values, rules.together(verdicts)))
    return judged


def verdict(claim: Claim, finding: Finding, p: float) -> rules.Verdict:
    """The verdict that one finding supports."""
    if finding.absent:
        return "not run at this size"
    if not finding.estimate.count:
        return "not run yet"
    return rules.RULES[claim.rule](finding.estimate, p, claim.published)
