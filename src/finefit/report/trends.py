"""Scores drawn over what a study's data sets differ in, and who leads at each value."""

from __future__ import annotations

import math
from html import escape

from IPython.display import HTML

from finefit.analysis.collect import Results
from finefit.analysis.scores import OF_RUN, anchor, of_group
from finefit.analysis.trends import unbeaten, varied
from finefit.report.drawers import made_from
from finefit.report.figures import NOT_DRAWN
from finefit.report.style import LINES, chart, colour, marker, panels
from finefit.report.text import PENDING, in_percent, link, measured, table

DRAWN = {  # beside the distance
    "denoising_loss": "denoising loss",
    "class_accuracy": "class accuracy (%)",
    "diversity_probe": "diversity_probe",
}
NAMES = {"shift": "shift", "train_per_class": "training pictures of each class"}
WIDE = 8.0  # values that span more than this many times are drawn on a logarithmic axis


def curves(found: Results) -> HTML:
    """A panel per score, a line per method: means over seeds with intervals that hold together at each value."""
    if (axis_of := varied(found.study)) is None:
        return HTML("")
    option, values = axis_of
    shown = found.main[found.main[found.distance].map(lambda estimate: estimate.count > 0)]
    if shown.empty:
        return NOT_DRAWN
    drawn = {found.distance: found.distance} | DRAWN
    figure, axes = panels(2, 3.6, len(drawn) // 2)
    for axis, (metric, label) in zip(axes, drawn.items(), strict=True):
        rows = shown.drop_duplicates(["group", "entry"]) if metric in OF_RUN else shown
        for variant, part in rows.groupby("variant", sort=False):
            part = part.assign(value=part["group"].map(values)).sort_values("value")
            unit = 100.0 if in_percent(metric) else 1.0
            means = [unit * estimate.mean for estimate in part[metric]]
            halves = [0.0 if math.isnan(estimate.half) else unit * estimate.half for estimate in part[metric]]
            entry, guidance = part.iloc[0][["entry", "guidance"]]
            look = {"color": colour(found.study, entry), "marker": marker(found.study, entry), "label": variant}
            repeated = rows.loc[rows["entry"] == entry, "variant"].nunique() > 1
            line = LINES[guidance] if repeated else "-"
            axis.errorbar(part["value"], means, halves, capsize=2, elinewidth=0.8, markersize=4, linestyle=line, **look)
        if min(values.values()) > 0 and max(values.values()) > WIDE * min(values.values()):
            axis.set_xscale("log", base=2)
        axis.set(xlabel=NAMES.get(option, option), ylabel=label)
        axis.set_xticks(list(values.values()), [f"{value:g}" for value in values.values()])
    axes[0].legend(fontsize=7)
    return chart(
        figure,
        f"Scores over {NAMES.get(option, option)}, one line per method",
        "Means over seeds with 95 % intervals that hold together at each value. All methods share steps and rates.",
        made_from(shown),
    )


def leaders(found: Results) -> HTML:
    """A row per method, a column per value: the distance, and at each value which methods nothing is nearer than."""
    if (axis_of := varied(found.study)) is None:
        return HTML("")
    option, values = axis_of
    columns = {group: of_group(found.main, group).set_index("variant") for group in values}
    ahead = {group: unbeaten(found, group) for group in values}
    body = []
    for variant in next(iter(columns.values())).index:
        cells = []
        for group, rows in columns.items():
            row = rows.loc[variant]
            text = measured(row[found.distance], found.distance, absent=PENDING)
            mark = "<small>nothing is nearer</small>" if variant in ahead[group] else ""
            cells.append(link(anchor(row.rename(None)), text) + mark)
        body.append([escape(str(variant)), *cells])
    name = NAMES.get(option, option)
    return HTML(table(["", *(f"{value:g}<small>{name}</small>" for value in values.values())], body, "trend"))
