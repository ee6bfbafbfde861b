"""Claims by domain, side by side: a column for each kind of pictures that a kept study has."""

from __future__ import annotations

from html import escape

from IPython.display import HTML

from finefit.claims.domains import held, verdicts
from finefit.claims.record import Record
from finefit.exhibits.claims import badge
from finefit.report.text import DASH, table


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
