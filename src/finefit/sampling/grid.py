"""Labelled grids of pictures on request: some classes, from one method or from several side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from finefit.data import letters
from finefit.data.names import ids_of
from finefit.jobs import borders, store
from finefit.jobs.faults import require_folder
from finefit.sampling.runs import classes_of, job_of
from finefit.sampling.trained import load, untouched
from finefit.study.plan import Plan

PAPER, INK, MARGIN = "white", "black", 6
FIRST = 8  # classes of a base that are drawn where none is named
SMALLEST = 96  # pixels of a side in the grid, to which smaller pictures are enlarged without smoothing


def pictures(plan: Plan, entry: str, names: list[str], count: int, seed: int) -> np.ndarray:
    """Pictures of the named classes from the study's run of an entry: uint8 `[classes, count, r, r, 3]`.

    Picture k of a class has the same noise in every method, as in the study's own samples.

    Args:
        seed: which of the study's runs, by its seed.

    Raises:
        ValueError: no class is named, no such entry, seed or class, or the run is not made yet.
    """
    if not names:
        raise ValueError("--classes: names no class; give one or more, with commas")
    drawn = job_of(plan, entry, seed)
    run = drawn.inputs["run"]
    store.require(run)
    ids = np.repeat(ids_of(names, classes_of(plan, run)["class_name"].tolist()), count).tolist()
    decoded = load(run.path).draw(ids, [*range(count)] * len(names), drawn.settings)
    return decoded.reshape(len(names), count, *decoded.shape[1:])


def check_file(file: Path) -> None:
    """Raise ValueError where a picture cannot be written to `file`; before anything is drawn."""
    endings = sorted(ending for ending, kind in Image.registered_extensions().items() if kind in Image.SAVE)
    if file.suffix.lower() not in endings:
        raise ValueError(
            f"{file}: pictures are not written as {file.suffix or 'a file without ending'!r}; use .png or .jpg"
        )
    require_folder(file)


def grid(rows: dict[str, np.ndarray], columns: list[str]) -> Image.Image:
    """One picture of labelled rows.

    Args:
        rows: name of each row and its pictures, uint8 `[n, r, r, 3]`.
        columns: a head for each of the n, or none.
    """
    side = next(iter(rows.values())).shape[1]
    shown = side * max(1, -(-SMALLEST // side))
    fonts = {name: letters.font(name, 12) for name in (*rows, *columns)}
    left = 2 * MARGIN + max(int(fonts[name].getlength(name)) for name in rows)
    top = 12 + 2 * MARGIN if columns else MARGIN
    count = max(len(pictures) for pictures in rows.values())
    sheet = Image.new("RGB", (left + count * (shown + MARGIN), top + len(rows) * (shown + MARGIN)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, head in enumerate(columns):
        draw.text((left + place * (shown + MARGIN), MARGIN), head, INK, fonts[head])
    for line, (name, pictures) in enumerate(rows.items()):
        height = top + line * (shown + MARGIN)
        draw.text((MARGIN, height + shown // 2), name, INK, fonts[name], anchor="lm")
        for place, picture in enumerate(pictures):
            enlarged = Image.fromarray(picture).resize((shown, shown), Image.Resampling.NEAREST)
            sheet.paste(enlarged, (left + place * (shown + MARGIN), height))
    return sheet


def of_method(plan: Plan, entry: str, names: list[str], count: int, seed: int, file: Path) -> None:
    """Write a grid of one method: a row per class."""
    check_file(file)
    drawn = pictures(plan, entry, names, count, seed)
    named = labels(plan, entry, names, seed)
    with borders.writing(file):
        grid(dict(zip(named, drawn, strict=True)), []).save(file)


def of_base(plan: Plan, names: list[str], count: int, seed: int, file: Path) -> None:
    """Write a grid of the untouched base: a row per class of its own training, the first ones where none is named."""
    check_file(file)
    base = untouched(plan)
    shown = names or list(base.classes[:FIRST])
    asked, classes = plan.study.sample, [name for name in shown for _ in range(count)]
    drawn = base.sample(classes, seed, steps=asked.steps, scale=asked.scale)
    rows = np.stack([np.asarray(picture) for picture in drawn]).reshape(len(shown), count, *np.shape(drawn[0]))
    grid(dict(zip(shown, rows, strict=True)), []).save(file)


def of_methods(plan: Plan, entries: list[str], names: list[str], seed: int, file: Path) -> None:
    """Write a grid of methods side by side: a row per class, a column per method, the same noise along a row."""
    check_file(file)
    drawn = np.concatenate([pictures(plan, entry, names, 1, seed) for entry in entries], axis=1)
    named = labels(plan, entries[0], names, seed)
    with borders.writing(file):
        grid(dict(zip(named, drawn, strict=True)), entries).save(file)


def labels(plan: Plan, entry: str, names: list[str], seed: int) -> list[str]:
    """What to write beside classes: the names that were asked for, numbers where no font here has their letters."""
    ids = ids_of(names, classes_of(plan, job_of(plan, entry, seed).inputs["run"])["class_name"].tolist())
    return [letters.drawable(name, f"class {number}") for name, number in zip(names, ids, strict=True)]
