"""Where methods overtake the one that trains most, along what a study varies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from IPython.display import HTML

from finefit.analysis.collect import Results
from finefit.analysis.crossings import Crossing, against, crossing
from finefit.analysis.decisions import verdict
from finefit.analysis.statistics import Estimate
from finefit.analysis.trends import varied
from finefit.report.text import PENDING, emphasised, measured, number, table
from finefit.report.trends import heads

LOSS = {"denoising_loss": "Held-out denoising loss"}


def crossings(found: Results) -> HTML:
    """Where every method's line crosses that of the method that trains most: by each judge, and by held-out loss."""
    if (axis_of := varied(found.study)) is None or min(axis_of.places) <= 0:
        return HTML("")
    rows, parts = axis_of.along(found.main), []
    for metric, name in (dict(zip(found.distances, found.distances, strict=True)) | LOSS).items():
        most, others = against(found, rows, metric)
        body = []
        for line, differences in others.items():
            crossed = crossing(axis_of.places, differences)
            cells = [emphasised(one, measured(one, metric)) for one in differences]
            body.append([escape(line), *cells, told(crossed, differences, most)])
        if body:
            parts.append(f"<p>{name} of {escape(most)}, less that of</p>")
            parts.append(table(["", *heads(axis_of), "crossing"], body, "crossings"))
    return HTML("".join(parts))


def told(crossed: Crossing, differences: Sequence[Estimate], most: str) -> str:
    """Where a method's line crosses that of the method that trains most, in words."""
    first, last = verdict(differences[0]), verdict(differences[-1])
    sides = {"lower": f"{escape(most)} ahead", "higher": f"{escape(most)} behind"}
    if first not in (*sides, "not separated") or last not in (*sides, "not separated"):
        return PENDING
    if math.isnan(crossed.low):
        return f"none within reach: {sides[first]} everywhere"
    if first in sides and last in sides:
        between = f"{number(crossed.low)} to {number(crossed.high)}"
        if first == last:
            return f"none shown: {sides[first]} at both ends, not told apart at {between}"
        return f"at {number(crossed.point)} ({between})"
    if last in sides:
        return f"{sides[last]} from {number(crossed.high)} on; not told apart below"
    if first in sides:
        return f"{sides[first]} up to {number(crossed.low)}; not told apart above"
    return "not told apart at either end"
