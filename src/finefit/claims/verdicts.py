"""The claims ledger: claims.yaml read, measured on a study's results, and judged by rules."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from finefit.analysis.decisions import equivalence
from finefit.analysis.scores import OF_RUN, Scores
from finefit.analysis.statistics import holm
from finefit.claims import rules
from finefit.claims.measures import MEASURES, Finding
from finefit.study import reading
from finefit.study.sections import Strict

LEDGER = Path("claims.yaml")
DISTANCE = "fid"  # a claim that a paper measured by it is about a distance, and every judge has a view of it
RIVALS = ("Domain Guidance", "Diff-Tuning", "DogFit")  # papers that claim to beat the two


class Margin(Strict):
    """What counts as equal, stated before anything is run: a share of the second method's score, and why."""

    share: Annotated[float, Field(gt=0, lt=1)]
    because: Annotated[str, Field(min_length=1)]


class Claim(Strict):
    """One claim as claims.yaml states it."""

    id: str
    paper: Literal["FineDiffusion", "DiffFit", "Domain Guidance", "Diff-Tuning", "DogFit"]
    claim: str
    published: str = ""
    unit: str = ""
    source: str
    certainty: Literal["printed", "figure", "second-hand", "deduced"]
    rule: Literal["prints_as", "near", "at_least", "falls", "lower", "higher", "as_good"]
    measure: dict[Literal["count", "parts", "value", "difference", "ratio", "theory"], dict[str, Any]]
    margin: Margin | None = None

    @model_validator(mode="after")
    def stated_beforehand(self) -> Claim:
        """A claim about a difference states its margin; another has none."""
        if (self.rule in rules.DIFFERENCES) != (self.margin is not None):
            raise ValueError("a margin belongs to rules of differences, and each of these needs one")
        return self


@dataclass(frozen=True)
class Tested:
    """A finding, its margin in the metric's own unit, p-values after correction, and the verdict that it supports."""

    finding: Finding
    margin: float
    p: float
    p_equal: float
    verdict: rules.Verdict


@dataclass(frozen=True)
class Judged:
    """A claim, what was found (one `Tested` per data set and resolution), and the verdict of all of it."""

    claim: Claim
    tested: list[Tested]
    verdict: rules.Verdict


def read(path: Path = LEDGER) -> list[Claim]:
    """The ledger.

    Raises:
        ValueError: the file is missing or a claim has faults; the message names file, claim and key.
    """
    if not path.is_file():
        raise ValueError(f"{path}: the claims ledger is missing; reports are made from the repository's root")
    content, _ = reading.read(path)
    try:
        claims = TypeAdapter(list[Claim]).validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = first["loc"][0] if first["loc"] else 0
        claim = content[place] if isinstance(content, list) else None
        name = claim.get("id", place) if isinstance(claim, dict) else place
        raise ValueError(f"{path}: claim {name}: {'.'.join(map(str, first['loc'][1:]))}: {first['msg']}") from None
    repeated = [name for name, times in Counter(claim.id for claim in claims).items() if times > 1]
    if repeated:
        raise ValueError(f"{path}: claim {repeated[0]} stands twice; give each its own id")
    return claims


@cache
def judge(found: Scores) -> list[Judged]:
    """Every claim with its verdict."""
    return judged(found, read())


def tests_any(found: Scores) -> bool:
    """Whether a study's runs test any claim of a paper; counts and calculations need no runs."""
    return any(tested.finding.rows for one in judge(found) for tested in one.tested)


@cache
def views(found: Scores) -> dict[str, dict[str, rules.Verdict]]:
    """What each distance of the study, and the held-out denoising loss, would say of the claims about distances.

    By claim and metric, each metric as if it alone were the ledger's. A claim about two ways to sample one run has no
    view of a loss that is the run's own.
    """
    about = [claim for claim in read() if DISTANCE in metrics(claim)]
    views: dict[str, dict[str, rules.Verdict]] = {claim.id: {} for claim in about}
    for metric in (*found.distances, "denoising_loss"):
        for one in judged(found, [measured_by(claim, metric) for claim in about]):
            rows = [tested.finding.rows for tested in one.tested if tested.finding.estimate.count]
            if any(metric not in OF_RUN or first["entry"] != second["entry"] for first, second in rows):
                views[one.claim.id][metric] = one.verdict
    return views


def metrics(claim: Claim) -> list[str]:
    """What a claim about two methods is measured by; empty for another claim."""
    return claim.measure.get("difference", {}).get("metric", [])


def measured_by(claim: Claim, metric: str) -> Claim:
    """A claim about two methods, measured by another metric."""
    return claim.model_copy(update={"measure": {"difference": claim.measure["difference"] | {"metric": [metric]}}})


def judged(found: Scores, claims: list[Claim]) -> list[Judged]:
    """Claims with their verdicts.

    The differences of all of them are corrected together (Holm), those of the tests of equality likewise; their
    intervals hold together as well (Bonferroni).
    """
    measured = [(claim, one) for claim in claims for one in findings(found, claim)]
    margins = [margin(claim, one) for claim, one in measured]
    differs = holm([one.estimate.p if claim.margin else math.nan for claim, one in measured])
    equal = holm([equivalence(one.estimate, by) for (_, one), by in zip(measured, margins, strict=True)])
    together = sum(not math.isnan(p) for p in differs)
    tested: dict[str, list[Tested]] = {claim.id: [] for claim in claims}
    for (claim, one), by, p, p_equal in zip(measured, margins, differs, equal, strict=True):
        decided = verdict(claim, one, p, p_equal)
        shown = replace(one, estimate=one.estimate.among(together)) if claim.margin else one
        tested[claim.id].append(Tested(shown, by, p, p_equal, decided))
    return [
        Judged(claim, tested[claim.id], rules.together([one.verdict for one in tested[claim.id]])) for claim in claims
    ]


def findings(found: Scores, claim: Claim) -> list[Finding]:
    """What the claim's measure finds in a study."""
    ((measure, arguments),) = claim.measure.items()
    return MEASURES[measure](found, arguments)


def margin(claim: Claim, finding: Finding) -> float:
    """The claim's margin as a difference of the metric: its share of the second method's mean; nan without either."""
    if claim.margin is None or len(finding.rows) < 2:
        return math.nan
    return claim.margin.share * abs(finding.rows[1][finding.metric].mean)


def verdict(claim: Claim, finding: Finding, p: float, p_equal: float) -> rules.Verdict:
    """The verdict that one finding supports."""
    if finding.absent:
        return "not run at this size"
    if not finding.estimate.count:
        return "not run yet"
    return rules.RULES[claim.rule](rules.Evidence(finding.estimate, claim.published, p, p_equal))
