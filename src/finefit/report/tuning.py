"""Learning rates as the reader sees them: what each method gets, and the curves that it is chosen from."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML

from finefit.analysis.collect import Results
from finefit.analysis.tuning import SCORE, at_edge, chosen, tried
from finefit.report.drawers import made_from
from finefit.report.figures import NOT_DRAWN
from finefit.report.style import COLOURS, MARKERS, chart, panels
from finefit.report.text import number, per_group, table

HEAD = ["", "learning rate", "times for the class table", "denoising loss"]


@per_group
def choices(found: Results, group: str) -> str:
    """The rate that each method gets, whether the grid went far enough, and what the distance would choose."""
    known = tried(found, group)
    body = [cells(known, best, found.distance) for _, best in chosen(found, group).iterrows()]
    head = [*HEAD, f"{found.distance} there", f"lowest {found.distance} at"]
    return table(head, body, "tuning") if body else ""


def cells(known: pd.DataFrame, best: pd.Series, distance: str) -> list[str]:
    """A method's line of `choices`; `distance` is the metric that says how near to real pictures."""
    edges = at_edge(known, best)
    own = known[(known["question"] == best["question"]) & known[distance].notna()]
    nearest = own.loc[own[distance].idxmin()] if len(own) else None

    def value(axis: str) -> str:
        return f"{best[axis]:g}" + ("<small>at the edge of what was tried</small>" if axis in edges else "")

    other = "" if nearest is None else f"{nearest['lr']:g} × {nearest['table']:g}: {number(nearest[distance])}"
    there = "" if pd.isna(best[distance]) else number(best[distance])
    return [escape(best["method"]), value("lr"), value("table"), number(best[SCORE], 4), there, other]


def curves(found: Results) -> HTML:
    """Denoising loss and distance over learning rates, a line per method and multiplier of the class table's rate."""
    groups = [group for group in found.groups if len(chosen(found, group))]
    if not groups:
        return NOT_DRAWN if any(len(tried(found, group)) for group in found.groups) else HTML("")
    named = {SCORE: "denoising loss", found.distance: found.distance}
    labels = {metric: label for metric, label in named.items() if found.evaluations[metric].notna().any()}
    figure, axes = panels(len(labels), 3.9, len(groups))
    shown: list[Any] = []
    for place, group in enumerate(groups):
        known, best = tried(found, group), chosen(found, group)
        for axis, (metric, label) in zip(axes[len(labels) * place :], labels.items(), strict=False):
            for order, method in enumerate(best["method"]):
                own, shape = COLOURS[order % len(COLOURS)], MARKERS[order % len(MARKERS)]
                for factor, part in known[known["method"] == method].groupby("table"):
                    part, main = part.sort_values("lr"), factor in set(best.loc[best["method"] == method, "table"])
                    style = {"color": own, "marker": shape, "linestyle": "-" if main else ":"}
                    axis.plot(part["lr"], part[metric], label=method if main else None, markersize=4, **style)
            axis.scatter(best["lr"], best[metric], s=90, facecolors="none", edgecolors="black", linewidths=0.9)
            axis.set(xscale="log", xlabel="learning rate", ylabel=label)
        shown += list(known["row"])
    axes[0].legend(fontsize=8)
    return chart(
        figure,
        "Denoising loss and distance over learning rates, one line per method",
        "A ring marks what the rule chose: the lowest denoising loss. Dotted lines are other multipliers of the class "
        "table's rate. The distance was not used to choose.",
        made_from(pd.DataFrame(shown)),
    )
