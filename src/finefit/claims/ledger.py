"""One ledger for all kept studies: each claim, what every study found, and the verdict of the strongest test.

Which test is the strongest is a matter of its design and never of its outcome: the metric that its claim
names first, then more seeds, then the narrower interval: beside the margin of equality where there is one, since a
difference itself is the outcome, and beside the value where there is none, as of a ratio.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from finefit.analysis import kept
from finefit.claims import domains, record, rules, verdicts
from finefit.claims.record import Record
from finefit.jobs import readers

FOLDER = Path("docs/results")


def gather(folder: Path) -> list[Record]:
    """Every claim of claims.yaml with the verdicts of all studies in a folder; the content of ledger.json.

    A study with values by seed is judged anew, by the rules and margins of today; another speaks for itself by the
    verdicts that it wrote, and one that wrote none is left out. So is a study of one seed, which decides nothing.
    """
    studies_kept = {
        study.name: (study, judged)
        for study in sorted(path for path in folder.glob("*") if path.is_dir())
        if (judged := judged_again(study)) is not None
    }
    lines = []
    for claim in verdicts.read():
        studies = []
        for name, (folder, judged) in studies_kept.items():
            own = next((one for one in judged if one["id"] == claim.id), None)
            if own and own["verdict"] not in rules.NOT_RUN:
                studies.append({"study": name, "page": page(folder), "domains": domains.of_folder(folder), **own})
        studies.sort(key=lambda one: strength(claim, one), reverse=True)
        calculated = not any(seen["made"] for study in studies for seen in study["findings"])
        lines.append(line(claim, studies[:1] if calculated else studies))  # what needs no runs is the same everywhere
    return lines


def judged_again(folder: Path) -> list[Record] | None:
    """A kept study's verdicts, anew where its values by seed are kept; None where it has none, or one seed."""
    study = kept.read(folder)
    if study and len(study.study.seeds) < 2:
        return None
    return record.records(study) if study else record.read(folder)


def line(claim: verdicts.Claim, studies: list[Record]) -> Record:
    """A line of the ledger; `studies` have the strongest test first."""
    return {
        "id": claim.id,
        "paper": claim.paper,
        "claim": claim.claim,
        "published": claim.published,
        "unit": claim.unit,
        "source": claim.source,
        "certainty": claim.certainty,
        "measure": next(iter(claim.measure)),
        "rule": claim.rule,
        "margin": claim.margin.model_dump() if claim.margin else None,
        "verdict": studies[0]["verdict"] if studies else "not run at this size",
        "studies": studies,
    }


def strength(claim: verdicts.Claim, study: Record) -> tuple[int, int, float]:
    """What orders tests of one claim: metric, seeds, and the interval's width in its `unit`; more is stronger."""
    ((_, arguments),) = claim.measure.items()
    order = arguments.get("metric", [])
    return max(
        (
            (
                -order.index(one["metric"]) if one["metric"] in order else -len(order),
                one["seeds"],
                -math.inf if one["high"] is None else -(one["high"] - one["low"]) / unit(one),
            )
            for one in study["findings"]
            if one["mean"] is not None
        ),
        default=(-len(order), 0, -math.inf),
    )


def unit(finding: Record) -> float:
    """What the width of a finding's interval is compared with: the margin of equality, else the value."""
    return finding["margin"] or abs(finding["mean"]) or 1.0


def page(folder: Path) -> str:
    """A kept study's first page, seen from the ledger; its table where no page is kept, as of one that is too large."""
    names = [path.name for path in sorted(folder.glob("*.html"))]
    return f"{folder.name}/{'index.html' if 'index.html' in names else next(iter(names), 'results.csv')}"


def write(lines: list[Record], out: Path) -> Path:
    """Write ledger.json."""
    file = out / "ledger.json"
    file.write_text(json.dumps(lines, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def load(file: str | Path) -> list[Record]:
    """The ledger as `write` wrote it."""
    return readers.content(Path(file), "run `finefit ledger`, which writes it anew")
