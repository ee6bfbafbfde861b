"""Finding the runs that a claim or a published row speaks of: by method and settings, whatever their entry's name."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from finefit import processes
from finefit.analysis.scores import Scores
from finefit.models.shapes import SIZES
from finefit.study.config import Study

Arguments = dict[str, Any]


def select(scores: Scores, group: str, wanted: Arguments, like: pd.Series | None, freed: set[str]) -> pd.Series | None:
    """The row of `Scores.main` that matches; the method's own entry where several do.

    Args:
        wanted: `method` (or several, any of which will do), and settings that its entry must have, as values or as
            `meant` reads them; `guidance` is that of the samples. Where they are not named, `process` is the
            default, and `steps` and `base` are the study's.
        like: a row whose settings it must share if it runs the same method, but for those in `freed`.
    """
    study = scores.study
    methods = wanted["method"] if isinstance(wanted["method"], list) else [wanted["method"]]
    matching = []
    for row in scores.rows_of(group):
        settings = study.settings_of(row["entry"])
        guidance = wanted.get("guidance", next(iter(settings["guidance"]), "none"))
        fits = settings["method"] in methods and row["guidance"] == guidance
        fits &= settings["process"] == wanted.get("process", processes.DEFAULT)
        fits &= settings["steps"] == wanted.get("steps", study.train.steps)
        fits &= settings["base"] == wanted.get("base", study.base.weights)
        named = {key: argument for key, argument in wanted.items() if key not in ("method", "guidance")}
        fits &= all(settings.get(key) == meant(argument, study) for key, argument in named.items())
        if fits and like is not None:
            other = study.settings_of(like["entry"])
            same_method = other["method"] == settings["method"]
            fits = not same_method or all(settings[key] == other[key] for key in settings if key not in freed)
        if fits:
            matching.append(row)
    own = [row for row in matching if row["entry"] in methods]
    return next(iter(own + matching), None)


def free_of(arguments: Arguments, sides: list[str]) -> set[str]:
    """Settings in which the sides may differ: those that any side names, what labels are dropped to, and the rates of
    training where its objective is named, since each objective has its own best ones."""
    named = {"guidance"}.union(*(arguments[side] for side in sides))
    return named | {"lr", "lr_multipliers"} if "objective" in named else named


def meant(wanted: Any, study: Study) -> Any:
    """A wanted value as the settings of the study's network hold it.

    "first half" and "second half" are blocks of its depth, `{times, of}` so many times the value that `of` has for the
    study's base (nan where it has none); lists are tuples there.
    """
    if wanted in ("first half", "second half"):
        depth = SIZES[study.base.size][0]
        return (1, depth // 2) if wanted == "first half" else (depth // 2 + 1, depth)
    if isinstance(wanted, dict):
        return float(f"{wanted['times'] * wanted['of'].get(study.base.weights, math.nan):.12g}")
    return tuple(wanted) if isinstance(wanted, list) else wanted


def spoken(key: str, wanted: Any) -> str:
    """A wanted setting in words."""
    return f"{key} {wanted['times']:g} times the base's" if isinstance(wanted, dict) else f"{key} {wanted}"
