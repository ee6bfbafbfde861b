"""What the claims are tested on: each measure takes its arguments from claims.yaml and looks at a study's results.

A measure gives a `Finding` per data set and resolution of the study that has what it asks for, or a single one that
says what is missing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pandas as pd

from finefit.analysis.scores import PUBLISHED, Scores
from finefit.analysis.statistics import NOTHING, Estimate, estimate
from finefit.claims import theory
from finefit.claims.selection import Arguments, free_of, select, spoken
from finefit.outlook import counts
from finefit.unets import parts

SEEDS = range(5)  # of the theory's problems


@dataclass(frozen=True)
class Finding:
    """What a measure found: on which data, of which metric, the estimate, and the rows it was computed from.

    Attributes:
        absent: what the study lacks for this measure; empty where it lacks nothing.
    """

    where: str = ""
    metric: str = ""
    estimate: Estimate = NOTHING
    rows: list[pd.Series] = field(default_factory=list)
    absent: str = ""


def count(scores: Scores, arguments: Arguments) -> list[Finding]:
    """Trained parameters of a method on DiT-XL/2: `of` is share (percent of all), millions or megabytes (float32)."""
    counted = count_of(arguments["method"], json.dumps(arguments.get("settings", {})), arguments["data"])
    value = {"share": counted.share, "millions": counted.trained / 1e6, "megabytes": counted.delta_bytes / 1e6}
    exact = Estimate(value[arguments["of"]], 0.0, math.inf, 2)
    return [Finding(f"{counted.model}, {arguments['data']}", f"{counted.trained:,} parameters", exact)]


def parts_count(scores: Scores, arguments: Arguments) -> list[Finding]:
    """Trained parameters of a row of data/published/controlnet.yaml on its true networks: share of all, or millions."""
    row = next(row for row in parts.rows() if row.row == arguments["row"])
    value = {"share": row.share, "millions": row.trained / 1e6}[arguments["of"]]
    text = f"{row.trained:,} of {row.total:,} parameters"
    return [Finding(f"{row.row}, true architectures", text, Estimate(value, 0.0, math.inf, 2))]


@cache
def count_of(method: str, settings: str, data: str) -> counts.Count:
    """`counts.counted` of the papers' network, once; settings as JSON."""
    return counts.counted(counts.PUBLISHED_MODEL, method, json.loads(settings), *counts.sizes(data))


def value(scores: Scores, arguments: Arguments) -> list[Finding]:
    """A metric of one method on the data and at the resolution that are asked for: Student's mean over seeds.

    Unlike the interval of a comparison it holds what a seed does to all methods alike.
    """
    apart = ("data", "resolution", "metric")
    arguments = arguments | {"only": {key: wanted for key, wanted in arguments.items() if key not in apart}}
    return per_group(scores, arguments, ["only"], lambda metric, row: estimate(scores.seeds_of(row)[metric]))


def difference(scores: Scores, arguments: Arguments) -> list[Finding]:
    """A metric of `first` minus that of `second`, in blocks of seeds."""
    return per_group(scores, arguments, ["first", "second"], lambda metric, *rows: scores.contrast([rows], metric))


def ratio(scores: Scores, arguments: Arguments) -> list[Finding]:
    """A metric of `first` divided by that of `second`, seed by seed."""

    def divided(metric: str, *rows: pd.Series) -> Estimate:
        one, other = (scores.seeds_of(row).set_index("seed")[metric] for row in rows)
        return estimate(list((one / other).dropna()))

    return per_group(scores, arguments, ["first", "second"], divided)


def theory_slope(scores: Scores, arguments: Arguments) -> list[Finding]:
    """Slope of the recovered factors' error over the number of samples, both as logarithms, from D^2 log D samples on.

    One slope for each of five random problems. -1/2 is that of an average over samples.
    """
    numbers, slopes = slopes_of(arguments["dimension"])
    where = f"{arguments['dimension']} dimensions, {numbers[0]:,} to {numbers[-1]:,} samples"
    return [Finding(where, "slope of log error over log samples", estimate(slopes))]


@cache  # a ledger of several studies asks for the same problems
def slopes_of(dimension: int) -> tuple[list[int], list[float]]:
    """Numbers of samples, and the slope of each of the random problems of so many dimensions."""
    numbers = [theory.samples_bound(dimension) * times for times in (1, 4, 16)]
    slopes = []
    for seed in SEEDS:
        errors = [theory.recovery(dimension, number, seed)[-1] for number in numbers]
        slopes.append(float(np.polyfit(np.log(numbers), np.log(errors), 1)[0]))
    return numbers, slopes


def per_group(
    scores: Scores, arguments: Arguments, sides: list[str], compute: Callable[..., Estimate]
) -> list[Finding]:
    """A finding per group of the study that has all sides; `compute(metric, *rows)` gives its estimate."""
    wanted = {key: arguments[key] for key in ("data", "resolution") if key in arguments}
    fitting = [group for group, data in scores.groups.items() if all(data[key] == wanted[key] for key in wanted)]
    if not fitting:
        return [Finding(absent="no " + " at ".join(map(str, wanted.values())) + " pixels" * ("resolution" in wanted))]
    findings = [of_group(scores, group, arguments, sides, compute) for group in fitting]
    return [finding for finding in findings if not finding.absent] or findings[:1]


def of_group(
    scores: Scores, group: str, arguments: Arguments, sides: list[str], compute: Callable[..., Estimate]
) -> Finding:
    """The finding of one group; its `absent` says what the group lacks."""
    rows: list[pd.Series] = []
    for side in sides:
        row = select(scores, group, arguments[side], like=rows[0] if rows else None, freed=free_of(arguments, sides))
        if row is None:
            named = ", ".join(spoken(key, wanted) for key, wanted in arguments[side].items() if key != "method")
            methods = arguments[side]["method"]
            method = " or ".join(methods) if isinstance(methods, list) else methods
            return Finding(absent=f"no {method}" + f" with {named}" * bool(named))
        rows.append(row)
    metrics = [metric for metric in arguments["metric"] if metric in rows[0].index]
    known = [metric for metric in metrics if all(row[metric].count for row in rows)]
    if known:
        return Finding(group, known[0], compute(known[0], *rows), rows)
    planned = [metric for metric in metrics if metric not in PUBLISHED or metric in scores.metrics]
    if planned:
        return Finding(group, planned[0], NOTHING, rows)
    return Finding(absent="no " + " or ".join(arguments["metric"]))


MEASURES: dict[str, Callable[[Scores, Arguments], list[Finding]]] = {
    "count": count,
    "parts": parts_count,
    "value": value,
    "difference": difference,
    "ratio": ratio,
    "theory": theory_slope,
}
