"""The papers' tables and figures: published scores beside this study's, parameter counts, and what each size shows."""

from __future__ import annotations

import csv
import json
import math
from html import escape
from pathlib import Path

import pandas as pd
from IPython.display import HTML

from finefit.analysis.collect import Results
from finefit.analysis.scores import anchor
from finefit.claims.selection import select
from finefit.jobs import readers
from finefit.outlook import counts
from finefit.report.figures import NOT_DRAWN
from finefit.report.text import link, measured, number, table
from finefit.study.config import Study
from finefit.study.reading import load, read

SCORES, EXHIBITS = Path("data/published/scores.csv"), Path("data/published/exhibits.yaml")
STAND_IN = {"fid": "fd_probe", "lpips": "diversity_probe"}  # what a study without the published network has
NOWHERE = '<span class="note">not in this study</span>'


def scores(results: Results, paper: str) -> HTML:
    """A paper's published scores; beside them ours on the same data and metric, and apart from these what this study
    has on its own data in its probe's features."""
    groups = ", ".join(results.references)
    head = ["row", "data", "metric", "published", "ours<small>same data and metric</small>"]
    head.append(f"fd_probe or diversity_probe<small>on {escape(groups)}; not comparable</small>")
    body = []
    for row in published(paper):
        row_head = f"{escape(row['row'])}<small>{escape(row['table'])}</small>"
        data = f"{escape(row['data'])}, {row['resolution']} px"
        printed = f"{escape(row['value'])}<small>{escape(row['certainty'])}</small>"
        own = " ".join(ours(results, row, group) for group in same_data(results, row)) or NOWHERE
        other = [ours(results, row, group, STAND_IN[row["metric"]]) for group in results.references]
        body.append([row_head, data, row["metric"].upper(), printed, own, " ".join(other) or NOWHERE])
    return HTML(table(head, body, "published"))


def published(paper: str) -> list[dict[str, str]]:
    """The published scores of a paper."""
    with open(SCORES, newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["paper"] == paper]


def same_data(results: Results, row: dict[str, str]) -> list[str]:
    """Groups of the study with a published row's data and resolution."""
    wanted = {"data": row["data"], "resolution": int(row["resolution"])}
    return [group for group, data in results.groups.items() if data == wanted]


def ours(results: Results, row: dict[str, str], group: str, metric: str | None = None) -> str:
    """This study's value for a published row in one group, with the runs that it was made from."""
    matching = select(results, group, {"method": row["method"]} | json.loads(row["settings"]), like=None, freed=set())
    if matching is None:
        return NOWHERE
    metric = metric or row["metric"]
    text = measured(matching[metric], metric)
    return link(anchor(matching), text) if matching[metric].count else text


def parameters(results: Results, paper: str) -> HTML:
    """Counted parameters of the full-size network beside the digits that a paper prints."""
    with open(counts.PUBLISHED, newline="", encoding="utf-8") as file:
        rows = [counts.compared(row) for row in csv.DictReader(file) if row["paper"] == paper]
    body = [
        [
            f"{escape(row['row'])}<small>{escape(row['source'])}</small>",
            row["printed"] + (" M" if row["unit"] == "millions" else " %"),
            f"{row['trained']:,}",
            f"{number(row['share'], 4)} %",
            f"{row['delta_bytes'] / 1e6:,.1f} MB",
            row["agrees"],
        ]
        for row in rows
    ]
    head = ["row", "published", "counted", "share of all", "delta<small>float32</small>", "agrees"]
    return HTML(table(head, body, "published"))


def exhibits(results: Results, paper: str | None = None) -> HTML:
    """Every table and figure of the papers with its state at each study size."""
    studies = sizes()
    head = ["what it shows", "paper", "exhibit", *(escape(name) for name in studies), "where"]
    body = []
    for exhibit in read(EXHIBITS)[0]:
        if paper in (None, exhibit["paper"]):
            where = exhibit.get("where", "")
            if where:
                states = [state(study, exhibit["needs"]) for study in studies.values()]
                shown = f'<a href="{escape(where)}">{escape(where.split("#")[0])}</a>'
            else:
                states, shown = ["not run"] * len(studies), f'<span class="note">{escape(exhibit["never"])}</span>'
            body.append([escape(exhibit["shows"]), exhibit["paper"], exhibit["exhibit"], *states, shown])
    return HTML(table(head, body, "exhibits"))


def sizes() -> dict[str, Study]:
    """The studies of the repository by name, that of params.yaml first; bases are no studies of methods."""
    paths = [Path("params.yaml"), *sorted(Path("studies").glob("*.yaml"))]
    studies = [load(path) for path in paths if path.exists()]
    return {study.name: study for study in studies if study.base.weights}


def state(study: Study, needs: dict) -> str:
    """What a study shows of an exhibit that needs this: "as published", "small version" or "not in this study"."""
    entries = [study.settings_of(entry) for entry in study.methods]
    has_methods = set(needs["methods"]) <= {settings["method"] for settings in entries}
    varied = [
        any(settings["method"] in needs["methods"] and settings.get(key) == value for settings in entries)
        for wanted in needs.get("settings", [])
        for key, value in wanted.items()
    ]
    if not has_methods or not all(varied):
        return NOWHERE
    sets = {(section.reader or name, size) for name, section in study.data.items() for size in section.resolutions}
    same = "data" not in needs or (needs["data"], needs["resolution"]) in sets
    same &= needs.get("metric", "fid") in study.evaluate.published or "metric" not in needs
    return "as published" if same else "small version"


def superclasses(results: Results) -> HTML:
    """Distance of each superclass at equal numbers of pictures, a column per method (means over seeds)."""
    parts = []
    for group in results.references:
        columns, size = {}, 0
        for _, row in results.main[results.main["group"] == group].iterrows():
            files = [job.path / "superclasses.csv" for job in row["jobs"] if job.marker.exists()]
            frames = [readers.table(path) for path in files if path.exists()]
            if frames and len(frames[0]):
                size = int(frames[0]["pictures"].iloc[0])
                columns[row["variant"]] = (anchor(row), pd.concat(frames).groupby("superclass_id")["fd_probe"].mean())
        if not columns:
            parts.append(NOT_DRAWN.data)
            continue
        names = results.classes(group).drop_duplicates("superclass_id").set_index("superclass_id")["superclass"]
        body = [
            [escape(name), *(link(mark, number(values.get(label, math.nan))) for mark, values in columns.values())]
            for label, name in names.items()
        ]
        note = f'<p class="note">{escape(group)}: fd_probe of {size} samples against {size} real pictures.</p>'
        parts.append(note + table(["superclass", *map(escape, columns)], body, "superclasses"))
    return HTML("".join(parts))
