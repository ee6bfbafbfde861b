"""Sheets of pictures: every method's samples beside real pictures of the same class, unscaled in the page's bytes.

Small pictures are stored as WebP at their own resolution and enlarged by the browser without smoothing; large ones are
reduced, and fewer are shown. `QUALITY` keeps a page with a thousand pictures near a megabyte.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable
from html import escape

import numpy as np
import pandas as pd
from PIL import Image

from finefit.analysis.collect import Results
from finefit.analysis.scores import anchor, evaluation_of
from finefit.data.pictures import SHOWN, reduced
from finefit.jobs import readers
from finefit.report.tables import named
from finefit.report.text import PENDING, link, per_group

CLASSES, REAL, SAMPLES = 16, 2, 6  # shown at most: classes of a sheet, real pictures and samples of a class
QUALITY = 65  # of WebP, which is lossy: the pictures are for looking at, and their numbers stand in the artifacts
ACROSS = 64  # pixels on the screen that a small picture is enlarged to

# A class id to its pictures, encoded when a sheet shows the class: of ten thousand classes it shows sixteen.
Strips = Callable[[int], str]


@per_group
def compared(found: Results, group: str) -> str:
    """One row per class, one column per method, same label and same noise; real pictures first."""
    return compared_rows(found, group, found.rows_of(group))


def compared_rows(found: Results, group: str, rows: Iterable[pd.Series]) -> str:
    """One row per class, one column per row of `Results.main`, samples of the first seed; real pictures first."""
    columns = {named(found, row): strips(found, row, 2) for row in rows}
    return sheet(found, group, {"real": gallery(found, group, 2)} | columns)


@per_group
def by_method(found: Results, group: str) -> str:
    """Per method: one row per class, real pictures at the left, samples of the first seed at the right."""
    parts = []
    for place, row in enumerate(found.rows_of(group)):
        columns = {"real": gallery(found, group, REAL), named(found, row): strips(found, row, SAMPLES)}
        made = link(anchor(row), f"seed {found.study.seeds[0]}, how it was made")
        parts.append(f'<details class="sheet"{"" if place else " open"}><summary>{named(found, row)}</summary>')
        parts.append(f"{sheet(found, group, columns)}<p>{made}</p></details>")
    return "".join(parts)


def sheet(found: Results, group: str, columns: dict[str, Strips], only: pd.DataFrame | None = None) -> str:
    """A table of strips: a row per class (those of `only`, else some), a column per key of `columns` (HTML)."""
    classes = found.classes(group)
    if classes is None:
        return f"<p>{PENDING}</p>"
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    rows = []
    for _, row in (chosen(classes) if only is None else only).iterrows():
        name = f"{escape(row['class_name'])}<small>{escape(row['superclass'])}</small>"
        cells = "".join(f"<td>{column(row['class_id'])}</td>" for column in columns.values())
        cells = cells.replace("{class}", escape(row["class_name"], quote=True))
        rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    body = f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    caption = f'<caption class="unseen">Pictures of {escape(group)}, a row per class</caption>'
    return f'<div class="scroll" tabindex="0"><table class="pictures">{caption}{body}</table></div>'


def chosen(classes: pd.DataFrame) -> pd.DataFrame:
    """At most `CLASSES` classes, taken from the superclasses in turn, in the order of superclasses."""
    turn = classes.groupby("superclass", sort=False).cumcount()
    kept = classes.loc[turn.sort_values(kind="stable").index[:CLASSES]]
    order = {name: place for place, name in enumerate(classes["superclass"].unique())}
    return kept.sort_values(["superclass", "class_id"], key=lambda c: c.map(order) if c.name == "superclass" else c)


def gallery(found: Results, group: str, count: int) -> Strips:
    """A strip of a class's real test pictures; pending where there are none."""
    reference = found.references[group]
    if not reference.marker.exists():
        return lambda label: PENDING
    pictures = readers.array(reference.path / "gallery.npy", mapped=True)
    return lambda label: strip(pictures[label, :count], "real pictures of {class}")


def strips(found: Results, row: pd.Series, count: int) -> Strips:
    """A strip of a class's first samples by the first seed of a row; pending where there are none."""
    sample = evaluation_of(row, found.study.seeds[0]).inputs["sample"]
    if not sample.marker.exists():
        return lambda label: PENDING
    images, labels = (readers.array(sample.path / f"{name}.npy", mapped=True) for name in ("images", "labels"))

    def column(label: int) -> str:
        places = np.flatnonzero(labels == label)[:count]
        return strip(images[places], "samples of {class}") if len(places) else PENDING

    return column


def strip(pictures: np.ndarray, description: str) -> str:
    """Pictures (uint8 `[n, r, r, 3]`) side by side as one `<img>`, a transparent gap between them."""
    pictures = reduced(pictures[: max(1, len(pictures) * ACROSS // max(ACROSS, min(SHOWN, pictures.shape[1])))])
    count, side = pictures.shape[:2]
    factor, gap = max(1, round(ACROSS / side)), max(1, side // 32)
    canvas = np.zeros((side, count * (side + gap) - gap, 4), np.uint8)
    for place, picture in enumerate(pictures):
        left = place * (side + gap)
        canvas[:, left : left + side] = np.dstack([picture, np.full((side, side), 255, np.uint8)])
    buffer = io.BytesIO()
    Image.fromarray(canvas).save(buffer, "WEBP", quality=QUALITY, method=6)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<img loading="lazy" src="data:image/webp;base64,{data}" alt="{count} {description}" '
        f'width="{factor * canvas.shape[1]}" height="{factor * side}">'
    )
