"""Claims by domain: what the pictures of a study are (drawings, groceries, the objects of Caltech-101).

A claim that holds on drawings may fail on photographs. Each domain has the verdict of the strongest test among the kept
studies whose pictures are of it; what is said of all is said only where more than one domain tested the claim.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from finefit.analysis import kept
from finefit.claims import rules
from finefit.claims.record import Record
from finefit.claims.rules import Verdict
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
            if domain and seen["verdict"] not in rules.NOT_RUN:
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
