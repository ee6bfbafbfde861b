"""What the papers print: scores, the rows of a study that they speak of, and what a study shows of each exhibit."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Literal

import pandas as pd

from finefit.analysis.scores import Scores
from finefit.claims.selection import select
from finefit.jobs.remembered import remembered
from finefit.study.config import Study
from finefit.study.reading import load

SCORES, EXHIBITS = Path("data/published/scores.csv"), Path("data/published/exhibits.yaml")

State = Literal["as published", "small version", "not in this study"]


def published(paper: str) -> list[dict[str, str]]:
    """The published scores of a paper."""
    with open(SCORES, newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["paper"] == paper]


def same_data(found: Scores, row: dict[str, str]) -> list[str]:
    """Groups of the study with a published row's data and resolution."""
    wanted = {"data": row["data"], "resolution": int(row["resolution"])}
    return [group for group, data in found.groups.items() if data == wanted]


def own_row(found: Scores, row: dict[str, str], group: str) -> pd.Series | None:
    """The row of `Scores.main` in one group that has a published row's method and settings; None where none has."""
    return select(found, group, {"method": row["method"]} | json.loads(row["settings"]), like=None, freed=set())


def states(needs: list[dict]) -> dict[str, list[State]]:
    """What each study of the repository, that of params.yaml first, shows of exhibits that need this, by its name.

    Bases are no studies of methods.
    """
    paths = [path for path in (Path("params.yaml"), *sorted(Path("studies").glob("*.yaml"))) if path.exists()]
    texts = [path.read_text(encoding="utf-8") for path in paths]

    def looked_up() -> dict[str, list[State]]:
        studies = [study for study in map(load, paths) if study.base.weights]
        return {study.name: [state(study, one) for one in needs] for study in studies}

    return remembered(["states", texts, needs], looked_up)


def state(study: Study, needs: dict) -> State:
    """What a study shows of an exhibit that needs this."""
    entries = [study.settings_of(entry) for entry in study.methods]
    has_methods = set(needs["methods"]) <= {settings["method"] for settings in entries}
    varied = [
        any(settings["method"] in needs["methods"] and settings.get(key) == value for settings in entries)
        for wanted in needs.get("settings", [])
        for key, value in wanted.items()
    ]
    if not has_methods or not all(varied):
        return "not in this study"
    sets = {(section.reader or name, size) for name, section in study.data.items() for size in section.resolutions}
    same = "data" not in needs or (needs["data"], needs["resolution"]) in sets
    same &= needs.get("metric", "fid") in study.evaluate.published or "metric" not in needs
    return "as published" if same else "small version"
