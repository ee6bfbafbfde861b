"""Classes that fare worst, classes by their training pictures, and samples beside the nearest training pictures."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd
from IPython.display import HTML

from finefit import judges
from finefit.analysis.classes import DISTANCE, class_distances, training_counts
from finefit.analysis.collect import Results
from finefit.analysis.scores import of_group
from finefit.jobs import readers
from finefit.report.sheets import gallery, job_of, sheet, strip, strips
from finefit.report.tables import named
from finefit.report.text import PENDING, heading, number, shown, table

SHOWN = 6  # classes
BANDS = (0, 10, 30, 100, 300, 1000, 10_000)  # training pictures of a class, from


def pictures(found: Results) -> HTML:
    """Per group: the classes that lie furthest from real pictures, mean over methods, with everyone's pictures."""
    parts, seed = [], found.study.seeds[0]
    for group in found.groups:
        distances, classes = class_distances(found, group), found.classes(group)
        if classes is None or distances.empty:
            parts.append(heading(group, len(found.groups)) + f"<p>{PENDING}</p>")
            continue
        worst = distances.mean(axis=1).dropna().sort_values(ascending=False).index[:SHOWN]
        rows = [row for _, row in of_group(found.main, group).iterrows()]
        columns = {"real": gallery(found, group, 2)} | {named(found, row): strips(job_of(row, seed), 2) for row in rows}
        chosen = classes.set_index("class_id", drop=False).loc[worst]
        parts.append(heading(group, len(found.groups)) + sheet(found, group, columns, chosen))
        body = [
            [escape(row["class_name"]), *(number(distances.loc[label, row_["variant"]]) for row_ in rows)]
            for label, row in chosen.iterrows()
            if all(row_["variant"] in distances for row_ in rows)
        ]
        parts.append(table([DISTANCE, *(escape(row["variant"]) for row in rows)], body, "worst"))
    return HTML("".join(parts))


def bands(found: Results) -> HTML:
    """Per group: mean kernel distance and class accuracy of classes with few and with many training pictures."""
    parts = []
    for group in found.groups:
        counts = training_counts(found, group)
        if counts is None:
            parts.append(heading(group, len(found.groups)) + f"<p>{PENDING}</p>")
            continue
        band = pd.cut(counts, [*BANDS, np.inf], right=False)
        if band.nunique() == 1:  # no tail to look at
            continue
        body = []
        for _, row in of_group(found.main, group).iterrows():
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
        parts.append(heading(group, len(found.groups)) + table(head, body, "bands"))
    return HTML("".join(parts))


def neighbours(found: Results) -> HTML:
    """Per group and method: the samples nearest to training pictures, above these, by each judge's features."""
    parts, seed = [], found.study.seeds[0]
    for group in found.groups:
        body, names = [], found.study.judges()
        for _, row in of_group(found.main, group).iterrows():
            job = dict(zip(row["seeds"], row["jobs"], strict=True))[seed]
            cells = []
            for name in names:
                file = job.path / f"neighbours-{judges.slug(name)}.npz"
                if not file.exists():
                    cells.append(PENDING)
                    continue
                with readers.arrays(file) as kept:
                    above = strip(kept["samples"], "samples, the nearest to training pictures first")
                    below = strip(kept["train"], "training pictures nearest to the samples above them")
                share = row[judges.column("memorised", name)]
                told = shown(share.mean, "memorised_probe") if share.count else "cannot be told"
                cells.append(f"{above}<br>{below}<small>memorised: {told}</small>")
            body.append([named(found, row), *cells])
        parts.append(heading(group, len(found.groups)) + table(["", *map(escape, names)], body, "neighbours"))
    return HTML("".join(parts))
