"""One ledger for all kept studies: each claim, what every study found, and the verdict of the strongest test.

Which test is the strongest is a matter of its design and never of its outcome: the paper's own metric before a
stand-in, then more seeds, then the narrower interval beside the value that it is compared with.
"""

from __future__ import annotations

import json
import math
from html import escape
from pathlib import Path
from typing import Any

from IPython.display import HTML

from finefit.analysis import kept
from finefit.analysis.decisions import MOST_SEEDS
from finefit.claims import record, rules, verdicts
from finefit.claims.record import Record
from finefit.jobs import store
from finefit.report import domains
from finefit.report.ledger import CERTAINTY, badge
from finefit.report.text import number, plural, probability, table

FOLDER = Path("docs/results")
NOT_RUN = ("not run at this size", "not run yet")


def gather(folder: Path) -> list[Record]:
    """Every claim of claims.yaml with the verdicts of all studies in a folder; the content of ledger.json.

    A study with values by seed is judged anew, by the rules and margins of today; another speaks for itself by the
    verdicts that it wrote, and one that wrote none is left out. So is a study of one seed, which decides nothing.
    """
    found = {
        study.name: (study, told)
        for study in sorted(path for path in folder.glob("*") if path.is_dir())
        if (told := verdicts_of(study)) is not None
    }
    lines = []
    for claim in verdicts.read():
        studies = []
        for name, (folder, told) in found.items():
            own = next((one for one in told if one["id"] == claim.id), None)
            if own and own["verdict"] not in NOT_RUN:
                studies.append({"study": name, "page": page(folder), "domains": domains.of_folder(folder), **own})
        studies.sort(key=lambda one: strength(claim, one), reverse=True)
        calculated = not any(seen["made"] for study in studies for seen in study["findings"])
        lines.append(line(claim, studies[:1] if calculated else studies))  # what needs no runs is the same everywhere
    return lines


def verdicts_of(folder: Path) -> list[Record] | None:
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


def strength(claim: verdicts.Claim, study: Record) -> tuple[bool, int, float]:
    """What orders tests of one claim: metric, seeds, and the interval's width beside its mean; more is stronger."""
    ((_, asked),) = claim.measure.items()
    own = next(iter(asked.get("metric", [])), None)
    return max(
        (
            (
                one["metric"] == own,
                one["seeds"],
                -math.inf if one["high"] is None else -(one["high"] - one["low"]) / (abs(one["mean"]) or 1.0),
            )
            for one in study["findings"]
            if one["mean"] is not None
        ),
        default=(False, 0, -math.inf),
    )


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
    return store.read_json(Path(file), "run `finefit ledger`, which writes it anew")


def overview(lines: list[Record]) -> HTML:
    """How many claims have which verdict."""
    counted = [(name, sum(one["verdict"] == name for one in lines)) for name in rules.VERDICTS]
    return HTML(
        '<dl class="facts">'
        + "".join(f"<div><dt>{badge(name)}</dt><dd>{count}</dd></div>" for name, count in counted if count)
        + "</dl>"
    )


def claims_of(lines: list[Record], *papers: str) -> HTML:
    """Claims of some papers that a study has looked at: verdict, what was found where, and the rule."""
    shown = [one for one in lines if one["paper"] in papers and one["studies"]]
    if not shown:
        return HTML('<p class="note">No kept study has tested them yet.</p>')
    head = ["claim", "verdict", "published", "what was found<small>the strongest test first</small>", "rule", "source"]
    return HTML(table(head, [row(one) for one in shown], "claims"))


def rivals(lines: list[Record]) -> HTML:
    """The claims of those who claim to beat the two papers."""
    return claims_of(lines, *verdicts.RIVALS)


def not_run(lines: list[Record]) -> HTML:
    """The claims that no kept study could look at."""
    rest = [one for one in lines if not one["studies"]]
    body = [[escape(one["claim"]), one["paper"], published(one), source(one)] for one in rest]
    return HTML(table(["claim", "paper", "published", "source"], body, "claims"))


def row(one: Record) -> list[str]:
    """A claim's cells."""
    found = [told(one, study, first=place == 0) for place, study in enumerate(one["studies"])]
    rule = escape(rules.text(one["rule"]))
    if one["margin"]:
        share, because = 100 * one["margin"]["share"], escape(one["margin"]["because"])
        rule += f"<small>Margin: {number(share, 2)} % of the second score. {because}</small>"
    return [escape(one["claim"]), badge(one["verdict"]), published(one), "<br>".join(found), rule, source(one)]


def published(one: Record) -> str:
    """What the paper printed."""
    return f"{escape(one['published'])} {escape(one['unit'])}".replace("-", "−").strip() or "direction only"


def source(one: Record) -> str:
    """Where it is printed, and how certain that is."""
    return f"{escape(one['source'])}<small>{CERTAINTY[one['certainty']]}</small>"


def told(one: Record, study: Record, first: bool) -> str:
    """What one study found, with a link to its runs; its own verdict where it is not the claim's."""
    lines = []
    for seen in study["findings"]:
        if seen["mean"] is None:
            continue
        value = number(seen["mean"], 4)
        if seen["high"] is not None and seen["high"] > seen["low"]:
            value += f" [{number(seen['low'], 3)}, {number(seen['high'], 3)}]"
        address = study["page"] + (f"#{seen['made']}" if seen["made"] and study["page"].endswith(".html") else "")
        text = f'<a href="{escape(address)}">{value}</a> {escape(one["unit"])}'
        reasons = [compared(one, seen), *facts(study, seen)]
        lines.append(f"{text}<small>{escape('; '.join(filter(None, reasons)))}</small>")
    own = "" if first or study["verdict"] == one["verdict"] else f" {badge(study['verdict'])}"
    return "".join(lines) + own


def compared(one: Record, seen: dict[str, Any]) -> str:
    """Which methods a number is about, as "difffit − full"."""
    return {"difference": " − ", "ratio": " / "}.get(one["measure"], ", ").join(seen["of"])


def facts(study: Record, seen: dict[str, Any]) -> list[str]:
    """Study, data, metric, seeds, p-values and what would decide, of one finding."""
    differs = seen["p"] is not None
    return [
        f"study {study['study']}" if seen["made"] else "",
        seen["where"],
        seen["metric"],
        plural(seen["seeds"], "seed") if seen["made"] else "",
        f"p {probability(seen['p'])}" if differs else "",
        f"margin {number(seen['margin'], 2)}" if differs and seen["margin"] else "",
        open_yet(seen) if differs and seen["verdict"] == "inconclusive" else "",
    ]


def open_yet(seen: dict[str, Any]) -> str:
    """How many seeds would decide what is open."""
    seeds = seen["seeds_to_decide"]
    return f"{seeds} seeds would decide" if seeds else f"more than {MOST_SEEDS} seeds would decide"


def markdown(lines: list[Record]) -> str:
    """The README's short table: the claims that a study tested, those about counts of parameters in one row."""
    rows = ["| claim | paper | verdict | study |", "|---|---|---|---|"]
    tested = [one for one in lines if one["studies"]]
    for one in tested:
        if one["rule"] != "prints_as":
            names = one["studies"][0]["study"] if one["studies"][0]["findings"][0]["made"] else "calculation"
            rows.append(f"| {one['claim']} | {one['paper']} | **{one['verdict']}** | {names} |")
    counts = [one["verdict"] for one in tested if one["rule"] == "prints_as"]
    if counts:
        right = counts.count("reproduced")
        rows.append(
            f"| Trained parameters as printed ({plural(len(counts), 'claim')}) | both | "
            f"{right} reproduced, {len(counts) - right} not | count |"
        )
    rest = len(lines) - len(tested)
    rows.append(f"| {plural(rest, 'further claim')} | both | not run at this size | |")
    return "\n".join(rows) + "\n"
