"""Scores at every guidance scale, and each method at its own best one beside all at one; fidelity against variety."""

from __future__ import annotations

from html import escape

from IPython.display import HTML

from finefit import judges
from finefit.analysis.collect import Results
from finefit.analysis.guidance import PER_CURVE, best, halves, swept
from finefit.analysis.scores import anchor, of_group
from finefit.report.drawers import made_from
from finefit.report.figures import NOT_DRAWN, curves
from finefit.report.style import LINES, chart, colour, marker, panels
from finefit.report.tables import headed, without
from finefit.report.text import link, measured, number, per_group, table

CHOSEN_BY = ("fd", "kd")  # scores that a scale is chosen for: of these less is better


@per_group
def sweep(found: Results, group: str) -> str:
    """Metrics at every guidance scale of the methods that were swept; nothing without a sweep."""
    rows = []
    for _, row in of_group(swept(found), group).sort_values(["guidance", "scale"]).iterrows():
        cells = [measured(row[metric], metric, without(row, metric)) for metric in found.headline]
        linked = [link(anchor(row), cell) if row["done"] else cell for cell in cells]
        rows.append([escape(row["entry"]), row["guidance"], f"{row['scale']:g}", *linked])
    head = ["", "guidance", "scale", *(headed(metric) for metric in found.headline)]
    return table(head, rows, "sweep") if rows else ""


@per_group
def own_best(found: Results, group: str) -> str:
    """Every method's distances at one scale for all, and at the scale that each distance chooses for it."""
    values, main = halves(found, group), found.study.sample.scale
    columns = [judges.column(score, name) for name in found.study.judges() for score in CHOSEN_BY]
    known = {column: best(values, column).set_index(PER_CURVE) for column in columns}
    keys = list(dict.fromkeys(key for part in known.values() for key in part.index))
    traced = [key for key in keys if any(key in one.index and len(one.loc[key, "all"]) > 1 for one in known.values())]
    if not traced:
        return ""
    rows, unlike = [], []
    for entry, guidance in traced:
        cells, scales = [], {}
        for column, part in known.items():
            row = part.loc[(entry, guidance)]
            at_one = number(row["all"].loc[main].mean()) if main in row["all"].index else ""
            scales[column] = sorted(set(row["scales"]))
            cells.append(f"{at_one}<small>{number(row['value'])} at {spoken(scales[column])}</small>")
        rows.append([f"{escape(entry)}<small>{escape(guidance)} guidance</small>", *cells])
        if len({tuple(chosen) for chosen in scales.values()}) > 1:
            choices = ", ".join(f"{column} {spoken(chosen)}" for column, chosen in scales.items())
            unlike.append(f"{escape(entry)}, {escape(guidance)} guidance: {choices}")
    head = ["", *(f"{column}<small>at {main:g}; at its own best</small>" for column in columns)]
    differ = "Scores that choose different scales: " + "; ".join(unlike) + "." if unlike else ""
    return table(head, rows, "guidance") + f'<p class="note">{differ or "All scores choose the same scales."}</p>'


def spoken(scales: list[float]) -> str:
    """Scales in words: one where both halves agree."""
    return " or ".join(f"{scale:g}" for scale in scales)


def fidelity_and_variety(found: Results) -> HTML:
    """Per group and judge: precision over recall, and density over coverage, traced over guidance scales."""
    rows = swept(found)
    rows = rows[rows["precision_probe"].map(lambda estimate: estimate.count > 0)]
    if rows.empty:
        return NOT_DRAWN if len(swept(found)) else HTML("")
    pairs = [(group, name) for group in rows["group"].unique() for name in found.study.judges()]
    figure, axes = panels(2, 3.9, len(pairs))
    for place, (group, name) in enumerate(pairs):
        for axis, (across, up) in zip(
            axes[2 * place : 2 * place + 2], (("recall", "precision"), ("coverage", "density")), strict=True
        ):
            for (entry, guidance), curve in curves(rows[rows["group"] == group]):
                x, y = ([one.mean for one in curve[judges.column(score, name)]] for score in (across, up))
                style = {"color": colour(found.study, entry), "marker": marker(found.study, entry), "markersize": 4}
                axis.plot(x, y, linestyle=LINES[guidance], label=f"{entry}, {guidance}", **style)
                for scale, *at in zip(curve["scale"], x, y, strict=True):
                    axis.annotate(f"{scale:g}", at, (3, 3), textcoords="offset points", fontsize=7)
            axis.set(xlabel=judges.column(across, name), ylabel=judges.column(up, name))
            axis.set_title(group if len(found.groups) > 1 else "")
    axes[0].legend(fontsize=7)
    return chart(
        figure,
        "Fidelity against variety over guidance scales, one curve per method and guidance",
        "Each point is a guidance scale (written beside it), the mean over seeds. Up is truer to real pictures, to the "
        "right more of their variety is there.",
        made_from(rows),
    )
