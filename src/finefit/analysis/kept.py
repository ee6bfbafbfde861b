"""Kept reports read back: the values by seed that a report wrote down, compared and judged by the rules of today."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from finefit.analysis.scores import COST, ROW, RUN, Scores
from finefit.jobs import readers
from finefit.study import reading
from finefit.study.config import Study

VALUES = "seeds.csv"  # a row per run and guidance
RESTORE = "restore the kept report, or keep it anew"
ENDS = [*ROW, "seed", "state"], [*RUN, *COST]  # columns before and after those of scores


@dataclass(frozen=True, eq=False)
class Kept(Scores):
    """A study and its scores as a report's folder keeps them; the artifacts behind them may be gone."""

    folder: Path

    @cached_property
    def record(self) -> dict[str, Any]:
        """The report's provenance."""
        return readers.content(sorted(self.folder.glob("provenance-*.json"))[-1], RESTORE)

    @cached_property
    def study(self) -> Study:
        """The study as the report's provenance states it; sections that today's code cannot read are left out."""
        return reading.well_formed(self.record["settings"]["study"])

    @property
    def distances(self) -> list[str]:
        """As `Scores.distances`; a judge that came after the report has no values in it and is left out."""
        every = super().distances
        return [name for name in every if self.evaluations[name].notna().any()] or every

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """The report's values by seed: see `Scores`. A score of a later version is nan."""
        return table(self.folder / VALUES, ENDS[0]).reindex(columns=columns(self))


def read(folder: Path) -> Kept | None:
    """A kept report with values by seed, None where the folder has none or its study cannot be read any more."""
    if not (folder / VALUES).exists() or not list(folder.glob("provenance-*.json")):
        return None
    kept = Kept(folder)
    wanted = {"data", "base", "methods", "sample", "evaluate", "train"}
    return kept if wanted <= kept.study.model_fields_set else None


def table(file: Path, needed: list[str]) -> pd.DataFrame:
    """A table of a kept report.

    Raises:
        ValueError: a column of `needed` is missing, or it is no table, as after a spreadsheet wrote it.
    """
    try:
        found = pd.read_csv(file, keep_default_na=False, na_values=[""])  # "null" is a guidance
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: not readable as CSV ({str(error).splitlines()[0]}); {RESTORE}") from None
    if missing := [column for column in needed if column not in found]:
        raise ValueError(f"{file}:1: no column {', '.join(missing)}; {RESTORE}")
    return found


def columns(found: Scores) -> list[str]:
    """The columns of the values by seed."""
    return [*ENDS[0], *found.metrics, *ENDS[1]]


def write(found: Scores, folder: Path) -> None:
    """Write a study's values by seed where `read` finds them."""
    found.evaluations[columns(found)].to_csv(folder / VALUES, index=False)
