"""The charts of the report, each drawn from `Results` alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator

from finefit.analysis.collect import Results
from finefit.analysis.scores import Scores, of_group
from finefit.report.drawers import made_from
from finefit.report.style import FAINT, INK, LINES, chart, colour, marker, panels
from finefit.report.text import number

NOT_DRAWN = HTML('<p class="pending">pending: nothing of this is made yet</p>')
COSTS = {"trained_parameters": "trained parameters", "train_seconds": "training time of a run (s)"}
ROOM_OF_NAME = 0.055  # the share of an axis's height that a name of 8 points takes


def against_cost(found: Results) -> HTML:
    """The distance to real pictures over trained parameters and over training time, a row of two panels per group."""
    shown = found.main[found.main[found.distance].map(lambda e: e.count > 0) & found.main["trained_parameters"].notna()]
    if shown.empty:
        return NOT_DRAWN
    groups = list(shown["group"].unique())
    figure, axes = panels(len(COSTS), 3.9, len(groups))
    for place, group in enumerate(groups):
        for axis, cost in zip(axes[len(COSTS) * place :], COSTS, strict=False):
            points(axis, found, of_group(shown, group), cost)
            floor_lines(axis, found.reference(group), found.distance)
            axis.set_title(group if len(groups) > 1 else "")
    return chart(
        figure,
        "Distance to real pictures over trained parameters and over training time, one marker per method",
        "Lower is nearer to real pictures, further left costs less. Bars are 95 % intervals that hold together; one "
        "that meets the frame goes on beyond it. Both costs are on logarithmic axes.",
        made_from(shown),
    )


def points(axis: Axes, found: Scores, part: pd.DataFrame, cost: str, strong: str = "") -> None:
    """A named point for each row of `part`: the distance, with its interval, over a cost.

    Args:
        strong: an entry that is drawn filled, and its name in bold.
    """
    repeated = part["entry"].duplicated(keep=False)
    across = {place: row[cost] if cost == "trained_parameters" else row[cost].mean for place, row in part.iterrows()}
    for (place, row), twice in zip(part.iterrows(), repeated, strict=True):
        distance, own = row[found.distance], colour(found.study, row["entry"])
        half = None if math.isnan(distance.half) else distance.half
        axis.errorbar(across[place], distance.mean, half, color=own, capsize=3, elinewidth=1.2)
        fill = own if row["entry"] == strong else "none" if twice and row["guidance"] == "null" else to_rgba(own, 0.35)
        shape = {"marker": marker(found.study, row["entry"]), "facecolors": fill, "edgecolors": own}
        axis.scatter(across[place], distance.mean, 55, **shape)
    axis.set(xscale="log", xlabel=COSTS[cost], ylabel=found.distance)
    least, most = min(across.values()), max(across.values())
    room = max(most / least, 2.0) ** 0.55  # to the right of the last point, for its name
    axis.set_xlim(least / room**0.2, most * room)
    steps = (1.0, 2.0, 5.0) if most < 300 * least else (1.0,)
    axis.xaxis.set_major_locator(LogLocator(subs=range(1, 10) if most < 8 * least else steps))
    axis.xaxis.set_major_formatter(EngFormatter(sep=""))
    axis.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    highest = max(row.mean for row in part[found.distance])  # two seeds' intervals can dwarf all else
    axis.set_ylim(0, min(max(axis.get_ylim()[1], 1.15 * highest), 1.6 * highest))
    name_beside(axis, part, across, found.distance, strong)


def name_beside(axis: Axes, part: pd.DataFrame, across: dict, metric: str, strong: str) -> None:
    """Name each point to its right; names of close points are moved apart, and a line leads to each from its point.

    Names that would not fit the axis one below the other stand closer, and then are smaller.
    """
    low, high = axis.get_ylim()
    share = min(ROOM_OF_NAME, 1 / (len(part) + 1))  # of the axis
    gap, size = share * (high - low), min(8.0, 10.0 * share / ROOM_OF_NAME)
    rows = sorted(part.iterrows(), key=lambda one: one[1][metric].mean)
    heights = apart([row[metric].mean for _, row in rows], gap, high - gap / 2)
    for (place, row), height in zip(rows, heights, strict=True):
        weight = "bold" if row["entry"] == strong else "normal"
        where = {"xytext": (9, 0), "textcoords": "offset points", "va": "center", "fontsize": size}
        line = {"arrowstyle": "-", "color": FAINT, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0}
        axis.annotate("", (across[place], row[metric].mean), (across[place], height), arrowprops=line)
        axis.annotate(row["variant"], (across[place], height), color=INK, fontweight=weight, **where)


def apart(places: list[float], gap: float, top: float) -> list[float]:
    """Rising places moved up so that each is `gap` above the one before, then down where they would pass `top`."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else place)
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], top)
        top = moved[index] - gap
    return moved


def floor_lines(axis: Axes, real: dict | None, metric: str) -> None:
    """What can be reached: the distance of real pictures to real pictures, and of real pictures through the codec."""
    for key, name, dash in ((f"{metric}_floor", "real pictures", "-"), (f"codec_{metric}", "codec alone", ":")):
        if real and not math.isnan(real.get(key, math.nan)):
            axis.axhline(real[key], color=FAINT, linestyle=dash, linewidth=1)
            where = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
            axis.annotate(f"{name} {number(real[key])}", (1, real[key]), (0, 2), ha="right", fontsize=8, **where)


def guidance_curves(found: Results) -> HTML:
    """The distance traced over guidance scales against class accuracy and diversity, per method and guidance."""
    sweep = [entry for entry in found.study.methods if len(found.study.scales(entry)) > 1]
    shown = found.variants[found.variants["entry"].isin(sweep)]
    shown = shown[shown[found.distance].map(lambda estimate: estimate.count > 0)]
    if shown.empty:
        return NOT_DRAWN if sweep else HTML("")
    groups = list(shown["group"].unique())
    figure, axes = panels(2, 3.9, len(groups))
    for place, group in enumerate(groups):
        left, right = axes[2 * place : 2 * place + 2]
        for (entry, guidance), curve in curves(shown[shown["group"] == group]):
            trace(left, curve, "class_accuracy", 100, found, f"{entry}, {guidance}")
            trace(right, curve, "diversity_probe", 1, found, f"{entry}, {guidance}")
        left.set(xlabel="class accuracy (%)", ylabel=found.distance, title=group if len(groups) > 1 else "")
        right.set(xlabel="diversity_probe", ylabel=found.distance)
        real = found.reference(group)
        if real and not math.isnan(real["diversity_probe_real"]):
            right.axvline(real["diversity_probe_real"], color=FAINT, linewidth=1)
            where = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "rotation": 90}
            right.annotate("real", (real["diversity_probe_real"], 0.02), (-9, 0), fontsize=8, **where)
    axes[0].legend(fontsize=8, loc="best")
    return chart(
        figure,
        "Distance to real pictures traced over guidance scales, against class accuracy and against diversity",
        "Each point is a guidance scale (written beside it), the mean over seeds; faint dots are single seeds. Better "
        "is nearer to the lower right on the left, and nearer to the foot of the real pictures' line on the right.",
        made_from(shown),
    )


def curves(part: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """((entry, guidance), rows by scale) for each guidance; no guidance is scale 1 of every curve of its entry."""
    plain = part[part["guidance"] == "none"]
    for (entry, guidance), rows in part[part["guidance"] != "none"].groupby(["entry", "guidance"], sort=False):
        yield (entry, guidance), pd.concat([rows, plain[plain["entry"] == entry]]).sort_values("scale")


def trace(axis: Axes, curve: pd.DataFrame, metric: str, factor: float, found: Results, label: str) -> None:
    """One curve of means over scales, each scale's number beside its point, and every seed as a faint dot."""
    entry, guidance = curve["entry"].iloc[0], curve["guidance"].iloc[-1]
    own, shape = colour(found.plan.study, entry), marker(found.plan.study, entry)
    x, y = [factor * e.mean for e in curve[metric]], [e.mean for e in curve[found.distance]]
    fill = "none" if guidance == "null" else own
    axis.plot(x, y, label=label, color=own, marker=shape, linestyle=LINES[guidance], markerfacecolor=fill)
    runs = found.evaluations
    runs = runs[(runs["group"] == curve["group"].iloc[0]) & (runs["entry"] == entry)]
    runs = runs[runs["guidance"].isin([guidance, "none"])]
    axis.scatter(factor * runs[metric], runs[found.distance], s=7, color=own, alpha=0.35, linewidths=0)
    for scale, across, up in zip(curve["scale"], x, y, strict=True):
        axis.annotate(f"{scale:g}", (across, up), (4, 5), textcoords="offset points", fontsize=8)


def losses(found: Results) -> HTML:
    """Training loss over steps, per method: mean over seeds of a running mean."""
    if found.losses.empty:
        return NOT_DRAWN
    figure, axes = panels(found.losses["group"].nunique(), 3.2)
    for axis, (group, part) in zip(axes, found.losses.groupby("group", sort=False), strict=True):
        for entry, runs in part.groupby("entry", sort=False):
            mean = runs.groupby("step")["loss"].mean()
            smooth = mean.rolling(max(1, len(mean) // 15), min_periods=1).mean()
            style = {"marker": marker(found.plan.study, entry), "markevery": max(1, len(mean) // 8), "markersize": 4}
            axis.plot(smooth.index, smooth, color=colour(found.plan.study, entry), label=entry, **style)
        axis.set(xlabel="step", ylabel="training loss (running mean)")
        axis.set_title(group if len(axes) > 1 else "")
    axes[0].legend(fontsize=8)
    return chart(
        figure,
        "Training loss over steps, one line per method",
        "Mean over seeds of a running mean. The loss compares runs of one data set; it does not measure pictures.",
        made_from(found.main),
    )
