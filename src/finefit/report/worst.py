"""Classes that fare worst, classes by their training pictures, and samples beside the nearest training pictures."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

from finefit import judges
from finefit.analysis.classes import DISTANCE, class_distances, training_counts
from finefit.analysis.collect import Results
from finefit.analysis.scores import evaluation_of
from finefit.jobs import readers
from finefit.report.sheets import gallery, sheet, strip, strips
from finefit.report.tables import named
from finefit.report.text import PENDING, number, per_group, shown, table

SHOWN = 6  # classes
BANDS = (0, 10, 30, 100, 300, 1000, 10_000)  # training pictures of a class, from


@per_group
def pictures(found: Results, group: str) -> str:
    """The classes that lie furthest from real pictures, mean over methods, with everyone's pictures."""
    distances, classes = class_distances(found, group), found.classes(group)
    if classes is None or distances.empty:
        return f"<p>{PENDING}</p>"
    worst = distances.mean(axis=1).dropna().sort_values(ascending=False).index[:SHOWN]
    rows = found.rows_of(group)
    columns = {"real": gallery(found, group, 2)} | {named(found, row): strips(found, row, 2) for row in rows}
    chosen = classes.set_index("class_id", drop=False).loc[worst]
    body = [
        [escape(one["class_name"]), *(number(distances.loc[label, row["variant"]]) for row in rows)]
        for label, one in chosen.iterrows()
        if all(row["variant"] in distances for row in rows)
    ]
    head = [DISTANCE, *(escape(row["variant"]) for row in rows)]
    return sheet(found, group, columns, chosen) + table(head, body, "worst")


@per_group
def bands(found: Results, group: str) -> str:
    """Mean kernel distance and class accuracy of classes with few and with many training pictures."""
    counts = training_counts(found, group)
    if counts is None:
        return f"<p>{PENDING}</p>"
    band = pd.cut(counts, [*BANDS, np.inf], right=False)
    if band.nunique() == 1:  # no tail to look at
        return ""
    body = []
    for row in found.rows_of(group):
        scores = found.class_scores(row)
        if scores is not None and DISTANCE in scores:
            means = scores[[DISTANCE, "class_accuracy"]].groupby(band, observed=True).mean()
            cells = [
                f"{number(one[DISTANCE])}<small>{shown(one['class_accuracy'], 'class_accuracy')} right</small>"
                for _, one in means.iterrows()
            ]
            body.append([named(found, row), *cells])
    sizes = band.value_counts(sort=False)
    head = [f"{DISTANCE}<small>by training pictures</small>"]
    head += [f"{int(one.left):,} or more<small>{size} classes</small>" for one, size in sizes.items() if size]
    return table(head, body, "bands")


@per_group
def neighbours(found: Results, group: str) -> str:
    """Per method: the samples nearest to training pictures, above these, by each judge's features."""
    body, names = [], found.study.judges()
    for row in found.rows_of(group):
        cells = []
        for name in names:
            file = evaluation_of(row, found.study.seeds[0]).path / f"neighbours-{judges.slug(name)}.npz"
            if not file.exists():
                cells.append(PENDING)
                continue
            with readers.arrays(file) as kept:
                above = strip(kept["samples"], "samples, the nearest to training pictures first")
                below = strip(kept["train"], "training pictures nearest to the samples above them")
            share = row[judges.column("memorised", name)]
            memorised = shown(share.mean, "memorised_probe") if share.count else "cannot be told"
            cells.append(f"{above}<br>{below}<small>memorised: {memorised}</small>")
        body.append([named(found, row), *cells])
    return table(["", *map(escape, names)], body, "neighbours")
