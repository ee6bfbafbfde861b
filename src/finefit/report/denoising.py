"""The held-out denoising loss in the report: each method's beside the base's own, and where along the noise it lies."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd
from IPython.display import HTML

from finefit.analysis.collect import Results, content
from finefit.analysis.decisions import verdict
from finefit.analysis.scores import anchor, of_group
from finefit.jobs.job import Job
from finefit.report.drawers import made_from
from finefit.report.figures import PENDING
from finefit.report.style import FAINT, chart, colour, marker, panels
from finefit.report.text import heading, link, measured, number, table

METRIC = "denoising_loss"
HEAD = ["", "denoising loss<small>lower is better</small>", "of the base's own", "lower than, all pairs together"]


def losses(found: Results) -> HTML:
    """Per group: the base's own loss, then every method's and the methods that it is separated from."""
    parts = []
    for group in found.groups:
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
        parts.append(heading(group, len(found.groups)) + table(HEAD, body, "denoising"))
    return HTML("".join(parts))


def curves(found: Results) -> HTML:
    """Each method's loss over timesteps as a share of the base's own at the same timesteps (without a base, itself)."""
    known = {group: rows for group in found.groups if (rows := [r for r in by_entry(found, group) if r[METRIC].count])}
    if not known:
        return PENDING
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


def by_entry(found: Results, group: str) -> list[pd.Series]:
    """A row of `Scores.main` for each entry: guidance makes no difference to this loss."""
    return [row for _, row in of_group(found.main, group).drop_duplicates("entry").iterrows()]


def base_loss(found: Results, group: str) -> float | None:
    """The base's own loss on a group's pictures; None while pending, and where it has no null row."""
    job = found.denoising_of_base.get(group)
    return content(job, "denoising.json").get(METRIC) if job else None


def by_band(jobs: list[Job]) -> pd.Series | None:
    """Mean loss over runs and classes, by the middle timestep of each band; None where no job has it."""
    files = [job.path / "denoising.csv" for job in jobs if (job.path / "denoising.csv").exists()]
    if not files:
        return None
    table_ = pd.concat([pd.read_csv(path) for path in files])
    return table_.groupby(np.ceil((table_["from"] + table_["to"]) / 2))["loss"].mean()
