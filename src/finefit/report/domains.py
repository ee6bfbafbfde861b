"""Claims by domain: what the pictures of a study are (drawings, groceries, the objects of Caltech-101), side by side.

A claim that holds on drawings may fail on photographs. Each domain has the verdict of the strongest test among the kept
studies whose pictures are of it; what is said of all is said only where more than one domain tested the claim.
"""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path

from IPython.display import HTML

from finefit.analysis import kept
from finefit.claims import rules
from finefit.claims.record import Record
from finefit.claims.rules import Verdict
from finefit.report.ledger import NOT_RUN, badge
from finefit.report.text import DASH, table
from finefit.study.config import Study

HELD: tuple[Verdict, ...] = ("reproduced",)


@cache
def of_folder(folder: Path) -> dict[str, str]:
    """The domain of each group of a kept study, such as "embedded-32"; empty where it can no longer be read."""
    found = kept.read(folder)
    if found is None:
        return {}
    return {
        f"{name}-{resolution}": of_data(found.study, name)
        for name, section in found.study.data.items()
        for resolution in section.resolutions
    }


def of_data(study: Study, name: str) -> str:
    """What the pictures of a data set of a study are."""
    reader = study.reader(name)
    return getattr(reader, "DOMAIN", None) or reader.PUBLISHED.title


def verdicts(line: Record) -> dict[str, Verdict]:
    """The verdict of a line of the ledger in each domain that tested it, by the strongest test there."""
    found: dict[str, Verdict] = {}
    for study in line["studies"]:  # the strongest first
        tested: dict[str, list[Verdict]] = {}
        for seen in study["findings"]:
            domain = study.get("domains", {}).get(seen["where"])
            if domain and seen["verdict"] not in NOT_RUN:
                tested.setdefault(domain, []).append(seen["verdict"])
        for domain, known in tested.items():
            found.setdefault(domain, rules.together(known))
    return found


def held(known: dict[str, Verdict]) -> str:
    """In how many of the domains that decided a claim it holds; nothing where fewer than two did."""
    decided = [verdict for verdict in known.values() if verdict in rules.DECIDED]
    if len(decided) < 2:
        return ""
    count = sum(verdict in HELD for verdict in decided)
    return "in all" if count == len(decided) else f"in {count} of {len(decided)}" if count else "in none"


def side_by_side(lines: list[Record]) -> HTML:
    """Every claim that pictures tested, a column for each domain, and in how many it holds."""
    known = {line["id"]: verdicts(line) for line in lines}
    names = list(dict.fromkeys(domain for one in known.values() for domain in one))
    if len(names) < 2:
        only = f"All kept studies are of {escape(names[0])}: no claim" if names else "No claim"
        return HTML(f'<p class="note">{only} is tested in two domains yet.</p>')
    body = []
    for line in (line for line in lines if known[line["id"]]):
        own = known[line["id"]]
        cells = [badge(own[name]) if name in own else DASH for name in names]
        body.append([escape(line["claim"]), line["paper"], *cells, held(own) or DASH])
    return HTML(table(["claim", "paper", *map(escape, names), "holds<small>where decided</small>"], body, "domains"))
