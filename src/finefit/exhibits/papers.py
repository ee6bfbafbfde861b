"""The papers' tables and figures: published scores beside this study's, parameter counts, and what each size shows."""

from __future__ import annotations

import csv
import math
from html import escape

from IPython.display import HTML

from finefit.analysis.classes import superclass_distances
from finefit.analysis.collect import Results
from finefit.analysis.scores import anchor
from finefit.claims.papers import EXHIBITS, own_row, published, same_data, states
from finefit.outlook import counts
from finefit.report.figures import NOT_DRAWN
from finefit.report.text import link, measured, number, per_group, table
from finefit.study.reading import read

NOWHERE = '<span class="note">not in this study</span>'


def scores(results: Results, paper: str) -> HTML:
    """A paper's published scores; beside them ours on the same data and metric, and apart from these what this study
    has on its own data by its own judges."""
    groups = ", ".join(results.references)
    head = ["row", "data", "metric", "published", "ours<small>same data and metric</small>"]
    stand_in = {"fid": results.distance, "lpips": "diversity_probe"}  # what a study without the published network has
    head.append(f"{results.distance} or diversity_probe<small>on {escape(groups)}; not comparable</small>")
    body = []
    for row in published(paper):
        row_head = f"{escape(row['row'])}<small>{escape(row['table'])}</small>"
        data = f"{escape(row['data'])}, {row['resolution']} px"
        printed = f"{escape(row['value'])}<small>{escape(row['certainty'])}</small>"
        own = " ".join(ours(results, row, group) for group in same_data(results, row)) or NOWHERE
        other = [ours(results, row, group, stand_in[row["metric"]]) for group in results.references]
        body.append([row_head, data, row["metric"].upper(), printed, own, " ".join(other) or NOWHERE])
    return HTML(table(head, body, "published"))


def ours(results: Results, row: dict[str, str], group: str, metric: str | None = None) -> str:
    """This study's value for a published row in one group, with the runs that it was made from."""
    own = own_row(results, row, group)
    if own is None:
        return NOWHERE
    metric = metric or row["metric"]
    text = measured(own[metric], metric)
    return link(anchor(own), text) if own[metric].count else text


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


def exhibits(results: Results) -> HTML:
    """Every table and figure of the papers with its state at each study size."""
    told = read(EXHIBITS)[0]
    found = states([exhibit["needs"] for exhibit in told if exhibit.get("where")])
    by_exhibit = zip(*found.values(), strict=True)
    head = ["what it shows", "paper", "exhibit", *(escape(name) for name in found), "where"]
    body = []
    for exhibit in told:
        if where := exhibit.get("where"):
            own = [NOWHERE if one == "not in this study" else one for one in next(by_exhibit)]
            shown = f'<a href="{escape(where)}">{escape(where.split("#")[0])}</a>'
        else:
            own, shown = ["not run"] * len(found), f'<span class="note">{escape(exhibit["never"])}</span>'
        body.append([escape(exhibit["shows"]), exhibit["paper"], exhibit["exhibit"], *own, shown])
    return HTML(table(head, body, "exhibits"))


@per_group
def superclasses(results: Results, group: str) -> str:
    """Distance of each superclass at equal numbers of pictures, a column per method (means over seeds)."""
    columns = {}
    for row in results.rows_of(group):
        distances = superclass_distances(row)
        if distances is not None:
            columns[row["variant"]] = (anchor(row), distances)
    if not columns:
        return NOT_DRAWN.data
    names = results.classes(group).drop_duplicates("superclass_id").set_index("superclass_id")["superclass"]
    body = [
        [
            escape(name),
            *(link(mark, number(table["fd_probe"].get(label, math.nan))) for mark, table in columns.values()),
        ]
        for label, name in names.items()
    ]
    (_, first), *_ = columns.values()
    size = int(first["pictures"].iloc[0])
    note = f'<p class="note">{escape(group)}: fd_probe of {size} samples against {size} real pictures.</p>'
    return note + table(["superclass", *map(escape, columns)], body, "superclasses")
