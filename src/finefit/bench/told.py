"""Where a method stands, in words: for the terminal, and for the first lines of its page. All of it is computed."""

from __future__ import annotations

import math

import pandas as pd

from finefit.analysis.decisions import Verdict
from finefit.bench.beside import Beside
from finefit.report.text import DASH, in_percent, mean_and_half, number, shown

SHOWN = ("diversity_probe", "class_accuracy", "superclass_accuracy", "denoising_loss", "drift")  # beside the distance
GROUPS: dict[str, tuple[Verdict, ...]] = {
    "lower than": ("lower",),
    "higher than": ("higher",),
    "equal within the margin to": ("equal within the margin",),
    "not separated from": ("not separated",),
    "without an interval beside": ("one seed", "no interval"),
}


def metrics(found: Beside) -> list[str]:
    """The scores that are told: the distance, then those of `SHOWN` that the method has."""
    wanted = dict.fromkeys([found.distance, *SHOWN])
    return [metric for metric in wanted if metric in found.metrics and any(row[metric].count for row in found.rows)]


def lines(found: Beside) -> list[str]:
    """The method's scores and standings, then what the machine makes of the control, a line each."""
    asked = found.asked
    text = []
    for row in found.rows:
        text.append(f"{row['variant']}, seeds {', '.join(map(str, row['seeds']))}, beside {asked.kept.folder}:")
        for metric in metrics(found):
            value = mean_and_half(row[metric].mean, row[metric].half, metric)
            text.append(f"  {metric} {value}: {standing(found, row, metric)}")
        text.append(f"  {size(row)}; {time(found, row)}")
    text.append(f"What this machine makes of {asked.control}, seed {asked.seed} (every interval is wider by it):")
    text += [f"  {line}" for line in machine(found)]
    return text


def standing(found: Beside, row: pd.Series, metric: str) -> str:
    """Which kept methods a row is separated from, equal to, and not separated from, by one score."""
    every = found.standings(row, metric)
    parts = []
    for words, verdicts in GROUPS.items():
        if names := [str(one.other["variant"]) for one in every if one.verdict in verdicts]:
            parts.append(f"{words} {', '.join(names)}")
    return "; ".join(parts) or "nothing to compare with"


def size(row: pd.Series) -> str:
    """What is trained, and the file that it makes."""
    trained = f"{row['trained_parameters']:,.0f} parameters trained ({number(100 * row['trained_share'])} % of all)"
    return f"{trained}, a file of {row['delta_bytes']:,.0f} bytes"


def time(found: Beside, row: pd.Series) -> str:
    """How long training took here, beside the control's one run here, which makes up for the machine."""
    own, control = row["train_seconds"].mean, found.control.loc["here", "train_seconds"]
    return f"trained in {number(own)} s, {number(own / control)} times as long as {found.asked.control} here"


def machine(found: Beside) -> list[str]:
    """The control's scores as they are kept and as they came out here."""
    control = found.control
    return [
        f"{metric} {plain(control.loc['kept', metric], metric)} kept, {plain(control.loc['here', metric], metric)} here"
        f" ({difference(found.machine(metric), metric)})"
        for metric in metrics(found)
    ]


def plain(score: float, metric: str) -> str:
    """A score by itself, with a digit more than means have: the machine's difference is small."""
    return shown(score, metric) if in_percent(metric) else number(score, 4)


def difference(score: float, metric: str) -> str:
    """A difference with its sign."""
    if math.isnan(score):
        return DASH
    text = f"{100 * score:.1f} %".replace("-", "−") if in_percent(metric) else number(score, 2)
    return text if score < 0 else f"+{text}"
