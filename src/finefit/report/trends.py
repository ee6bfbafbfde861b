"""Scores drawn over the one number that a study varies, and who leads at each value."""

from __future__ import annotations

import math
from html import escape

from IPython.display import HTML

from finefit.analysis.collect import Results
from finefit.analysis.scores import OF_RUN, anchor
from finefit.analysis.trends import Axis, unbeaten, varied
from finefit.report.drawers import made_from
from finefit.report.figures import NOT_DRAWN
from finefit.report.style import LINES, chart, colour, marker, panels
from finefit.report.text import PENDING, in_percent, link, measured, table

DRAWN = {  # beside the distance
    "denoising_loss": "denoising loss",
    "class_accuracy": "class accuracy (%)",
    "diversity_probe": "diversity_probe",
}
NAMES = {"train_per_class": "training pictures of each class", "steps": "steps of training"}
WIDE = 8.0  # values that span more than this many times are drawn on a logarithmic axis


def curves(found: Results) -> HTML:
    """A panel per score, a line per method: means over seeds with intervals that hold together at each value."""
    if (axis_of := varied(found.study)) is None:
        return HTML("")
    shown = axis_of.along(found.main[found.main[found.distance].map(lambda estimate: estimate.count > 0)])
    if shown.empty:
        return NOT_DRAWN
    drawn = {found.distance: found.distance} | DRAWN
    figure, axes = panels(2, 3.6, len(drawn) // 2)
    for axis, (metric, label) in zip(axes, drawn.items(), strict=True):
        rows = shown.drop_duplicates(["group", "entry"]) if metric in OF_RUN else shown
        several = rows.assign(own=rows["entry"].map(axis_of.lines)).groupby("own")["line"].transform("nunique") > 1
        looks: dict[str, str] = {}
        for line, part in rows.groupby("line", sort=False):
            part = part.sort_values("value")
            unit = 100.0 if in_percent(metric) else 1.0
            means = [unit * estimate.mean for estimate in part[metric]]
            halves = [0.0 if math.isnan(estimate.half) else unit * estimate.half for estimate in part[metric]]
            entry, guidance = part.iloc[0][["entry", "guidance"]]
            first = looks.setdefault(axis_of.lines[entry], entry)  # one colour for all of a method's entries
            look = {"color": colour(found.study, first), "marker": marker(found.study, first), "label": line}
            look |= {"linestyle": LINES[guidance] if several[part.index[0]] else "-"}
            axis.errorbar(part["value"], means, halves, capsize=2, elinewidth=0.8, markersize=4, **look)
        places = axis_of.places
        if min(places) > 0 and max(places) > WIDE * min(places):
            axis.set_xscale("log", base=2)
        axis.set(xlabel=in_words(axis_of), ylabel=label)
        axis.set_xticks(places, [f"{value:g}" for value in places])
    named = axes[0].get_legend_handles_labels()
    figure.legend(*named, loc="outside lower center", ncols=min(len(named[0]), 6), fontsize=7)
    shared = "data" if axis_of.option == "steps" else "steps"
    return chart(
        figure,
        f"Scores over {in_words(axis_of)}, one line per method",
        f"Means over seeds with 95 % intervals that hold together at each value. A method has the same {shared} and "
        "rates everywhere.",
        made_from(shown),
    )


def in_words(axis: Axis) -> str:
    """What an axis is called."""
    return NAMES.get(axis.option, axis.option)


def leaders(found: Results) -> HTML:
    """A row per method, a column per value: the distance, and at each value which methods nothing is nearer than."""
    if (axis_of := varied(found.study)) is None:
        return HTML("")
    rows = axis_of.along(found.main)
    columns = {value: rows[rows["value"] == value] for value in axis_of.places}
    ahead = {value: unbeaten(found, part) for value, part in columns.items()}
    body = []
    for line in rows["line"].unique():
        cells = []
        for value, part in columns.items():
            for _, row in part[part["line"] == line].iterrows():
                text = measured(row[found.distance], found.distance, absent=PENDING)
                mark = "<small>nothing is nearer</small>" if row["variant"] in ahead[value] else ""
                cells.append(link(anchor(row), text) + mark)
        body.append([escape(line), *cells])
    return HTML(table(["", *heads(axis_of)], body, "trend"))


def heads(axis: Axis) -> list[str]:
    """Heads of the columns of an axis's values."""
    return [f"{value:g}<small>{in_words(axis)}</small>" for value in axis.places]
