"""The held-out denoising loss in the report: each method's beside the base's own, and where along the noise it lies."""

from __future__ import annotations

from html import escape

import pandas as pd
from IPython.display import HTML

from finefit.analysis.collect import Results
from finefit.analysis.decisions import verdict
from finefit.analysis.denoising import METRIC, base_loss, by_band, by_entry
from finefit.analysis.scores import anchor
from finefit.report.drawers import made_from
from finefit.report.figures import NOT_DRAWN
from finefit.report.style import FAINT, chart, colour, marker, panels
from finefit.report.text import link, measured, number, per_group, table

HEAD = ["", "denoising loss<small>lower is better</small>", "of the base's own", "lower than, all pairs together"]


@per_group
def losses(found: Results, group: str) -> str:
    """The base's own loss, then every method's and the methods that it is separated from."""
    rows, own = by_entry(found, group), base_loss(found, group)
    body = [] if own is None else [["base, no class asked for", number(own, 4), "100 %", ""]]
    for row in rows:
        share = f"{number(100 * row[METRIC].mean / own)} %" if own and row[METRIC].count else ""
        above = [
            escape(other["entry"])
            for other in rows
            if other is not row and verdict(found.difference(row, other, METRIC)) == "lower"
        ]
        cells = [link(anchor(row), measured(row[METRIC], METRIC)), share, ", ".join(above)]
        body.append([escape(row["entry"]), *cells])
    return table(HEAD, body, "denoising")


def curves(found: Results) -> HTML:
    """Each method's loss over timesteps as a share of the base's own at the same timesteps (without a base, itself)."""
    known = {group: rows for group in found.groups if (rows := [r for r in by_entry(found, group) if r[METRIC].count])}
    if not known:
        return NOT_DRAWN
    figure, axes = panels(len(known), 3.2)
    for axis, (group, rows) in zip(axes, known.items(), strict=True):
        base = found.denoising_of_base.get(group)
        own = by_band([base]) if base else None
        for row in rows:
            jobs = [found.denoising[job.inputs["sample"].inputs["run"].digest] for job in row["jobs"]]
            band = by_band(jobs) if own is None else by_band(jobs) / own
            study, entry = found.study, row["entry"]
            axis.plot(band.index, band, color=colour(study, entry), marker=marker(study, entry), label=entry)
        if own is not None:
            axis.axhline(1, color=FAINT, linewidth=1)
        axis.set(xlabel="timestep (0: no noise, 999: nothing else)", ylabel="loss" if own is None else "loss / base's")
        axis.set_title(group if len(axes) > 1 else "")
    axes[0].legend(fontsize=8)
    return chart(
        figure,
        "Held-out denoising loss over timesteps, one line per method",
        "Means over seeds and classes, on test pictures, beside the base's own loss when no class is asked for (1). "
        "Late timesteps decide what a picture shows, early ones its detail.",
        made_from(pd.DataFrame([row for rows in known.values() for row in rows])),
    )
