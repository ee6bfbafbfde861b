"""Finding the runs that a claim or a published row speaks of: by method and settings, whatever their entry's name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from finefit.report.scores import Scores
from finefit.study.config import Study

Arguments = dict[str, Any]


def select(found: Scores, group: str, wanted: Arguments, like: pd.Series | None, freed: set[str]) -> pd.Series | None:
    """The row of `Scores.main` that matches; the method's own entry where several do.

    Args:
        wanted: `method` (or several, any of which will do), and settings that its entry must have; `guidance` is that
            of the samples.
        like: a row whose settings it must share if it runs the same method, but for those in `freed`.
    """
    study = found.study
    methods = wanted["method"] if isinstance(wanted["method"], list) else [wanted["method"]]
    matching = []
    for _, row in found.main[found.main["group"] == group].iterrows():
        settings = settings_of(study, row["entry"])
        guidance = wanted.get("guidance", next(iter(settings["guidance"]), "none"))
        fits = settings["method"] in methods and row["guidance"] == guidance
        fits &= all(settings.get(key) == plain(wanted[key]) for key in wanted if key not in ("method", "guidance"))
        if fits and like is not None:
            other = settings_of(study, like["entry"])
            same_method = other["method"] == settings["method"]
            fits = not same_method or all(settings[key] == other[key] for key in settings if key not in freed)
        if fits:
            matching.append(row)
    own = [row for row in matching if row["entry"] in methods]
    return next(iter(own + matching), None)


def free_of(asked: Arguments, sides: list[str]) -> set[str]:
    """Settings in which the sides may differ: those that any side names, and what labels are dropped to."""
    return {"guidance"}.union(*(asked[side] for side in sides))


def settings_of(study: Study, entry: str) -> dict[str, Any]:
    """Settings of an entry of the study, with `method` and the learning rate that it gets."""
    settings = study.method_settings(entry)
    resolved = {"method": study.methods[entry].get("method", entry), "lr": settings.lr or study.train.lr}
    return asdict(settings) | resolved


def plain(wanted: Any) -> Any:
    """A setting's value as the settings hold it: lists are tuples there."""
    return tuple(wanted) if isinstance(wanted, list) else wanted
