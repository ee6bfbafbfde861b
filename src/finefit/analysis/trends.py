"""What a study's data sets differ in, as the size of a shift, and which methods lead at each value of it."""

from __future__ import annotations

from dataclasses import asdict

from finefit.analysis.decisions import verdict
from finefit.analysis.scores import Scores
from finefit.study.config import Study


def varied(study: Study) -> tuple[str, dict[str, float]] | None:
    """The one number in which the options of all data sets differ, and its value in each group; None without one.

    All data sets must have one reader and one resolution.
    """
    sections = list(study.data.values())
    alike = {(section.reader or name, *section.resolutions) for name, section in study.data.items()}
    if len(sections) < 2 or len(alike) > 1 or len(sections[0].resolutions) > 1:
        return None
    options = {f"{name}-{study.data[name].resolutions[0]}": asdict(study.reader_settings(name)) for name in study.data}
    apart = [key for key in next(iter(options.values())) if len({repr(one[key]) for one in options.values()}) > 1]
    if len(apart) != 1:
        return None
    values = {group: one[apart[0]] for group, one in options.items()}
    if not all(isinstance(value, int | float) for value in values.values()):
        return None
    return apart[0], dict(sorted(values.items(), key=lambda item: item[1]))


def unbeaten(found: Scores, group: str) -> list[str]:
    """The variants of a group than which no other is separated as nearer, all pairs together; none while pending."""
    metric = found.distance
    rows = [row for row in found.rows_of(group) if row[metric].count]
    return [
        row["variant"]
        for row in rows
        if not any(verdict(found.difference(other, row, metric)) == "lower" for other in rows if other is not row)
    ]
