"""The one number that a study varies (of its data sets, or steps of training), and which methods lead at its values."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pandas as pd

from finefit.analysis.decisions import verdict
from finefit.analysis.scores import Scores
from finefit.study.config import Study

STEPS = "steps"


@dataclass(frozen=True)
class Axis:
    """What a study varies.

    Attributes:
        option: its name: an option of data sets, or "steps".
        values: that of every entry in every group, by (group, entry).
        lines: what each entry is called along the axis, the same for entries that differ in nothing else.
    """

    option: str
    values: dict[tuple[str, str], float]
    lines: dict[str, str]

    @property
    def places(self) -> list[float]:
        """The values, ascending."""
        return sorted(set(self.values.values()))

    def along(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of `Scores.main` with their `value` and their `line`, which a variant's guidance belongs to."""
        value = [self.values[place] for place in zip(rows["group"], rows["entry"], strict=True)]
        line = [
            self.lines[entry] + variant.removeprefix(entry)
            for entry, variant in zip(rows["entry"], rows["variant"], strict=True)
        ]
        return rows.assign(value=value, line=line)


def varied(study: Study) -> Axis | None:
    """The axis of a study: of its data sets where it has several, else the steps of its entries; None without one."""
    return of_data(study) if len(study.data) > 1 else of_steps(study)


def of_data(study: Study) -> Axis | None:
    """The one number in which the options of all data sets differ.

    All data sets must have one reader and one resolution, and all entries the study's steps.
    """
    sections = list(study.data.values())
    alike = {(section.reader or name, *section.resolutions) for name, section in study.data.items()}
    if len(alike) > 1 or len(sections[0].resolutions) > 1 or any(STEPS in entry for entry in study.methods.values()):
        return None
    options = {f"{name}-{study.data[name].resolutions[0]}": asdict(study.reader_settings(name)) for name in study.data}
    apart = [key for key in next(iter(options.values())) if len({repr(one[key]) for one in options.values()}) > 1]
    if len(apart) != 1 or not all(isinstance(one[apart[0]], int | float) for one in options.values()):
        return None
    values = {(group, entry): one[apart[0]] for group, one in options.items() for entry in study.methods}
    return Axis(apart[0], values, {entry: entry for entry in study.methods})


def of_steps(study: Study) -> Axis | None:
    """Steps of training, where entries that differ in nothing else have several; of one data set and resolution."""
    (name, section), asked = next(iter(study.data.items())), {e: study.training(e).steps for e in study.methods}
    if len(section.resolutions) > 1 or len(set(asked.values())) < 2:
        return None
    lines = {entry: entry.removesuffix(f"-{STEPS}-{asked[entry]}") for entry in study.methods}
    if len(set(zip(lines.values(), asked.values(), strict=True))) < len(lines):
        return None
    group = f"{name}-{section.resolutions[0]}"
    return Axis(STEPS, {(group, entry): count for entry, count in asked.items()}, lines)


def unbeaten(found: Scores, rows: pd.DataFrame) -> list[str]:
    """The variants among rows of one group than which no other is separated as nearer; none while pending."""
    metric = found.distance
    known = [row for _, row in rows.iterrows() if row[metric].count]
    return [
        row["variant"]
        for row in known
        if not any(verdict(found.difference(other, row, metric)) == "lower" for other in known if other is not row)
    ]
