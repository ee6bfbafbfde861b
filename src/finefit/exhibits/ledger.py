"""The ledger of all kept studies as the reader sees it: each claim, what every study found, and the verdict."""

from __future__ import annotations

from html import escape
from typing import Any

from IPython.display import HTML

from finefit.claims import rules, verdicts
from finefit.claims.record import Record
from finefit.exhibits.claims import badge, counted, open_yet, published, source
from finefit.jobs.quantities import plural
from finefit.report.text import number, probability, table


def overview(lines: list[Record]) -> HTML:
    """How many claims have which verdict."""
    return HTML(counted(one["verdict"] for one in lines))


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
    body = [
        [
            escape(one["claim"]),
            one["paper"],
            published(one["published"], one["unit"]),
            source(one["source"], one["certainty"]),
        ]
        for one in rest
    ]
    return HTML(table(["claim", "paper", "published", "source"], body, "claims"))


def row(one: Record) -> list[str]:
    """A claim's cells."""
    printed = published(one["published"], one["unit"])
    found = [study_found(one, study, first=place == 0) for place, study in enumerate(one["studies"])]
    rule = escape(rules.text(one["rule"]))
    if one["margin"]:
        share, because = 100 * one["margin"]["share"], escape(one["margin"]["because"])
        rule += f"<small>Margin: {number(share, 2)} % of the second score. {because}</small>"
    return [
        escape(one["claim"]),
        badge(one["verdict"]),
        printed,
        "<br>".join(found),
        rule,
        source(one["source"], one["certainty"]),
    ]


def study_found(one: Record, study: Record, first: bool) -> str:
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
    return "".join(lines) + own + viewed(study.get("views", {}))


def viewed(views: dict[str, rules.Verdict]) -> str:
    """What every metric says of one claim, in a line, and whether they agree; empty where one alone says anything."""
    if len(views) < 2:
        return ""
    said = "; ".join(f"{metric}: {verdict}" for metric, verdict in views.items())
    agreement = {"agree": "they agree", "disagree": "they disagree", "": "no two of them decide"}
    return f"<small>By {escape(said)}: {agreement[rules.consent(views)]}.</small>"


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
        open_yet(seen["seeds_to_decide"]) if differs and seen["verdict"] == "inconclusive" else "",
    ]
