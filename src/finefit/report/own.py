"""The first page of a study of somebody's own photographs: samples beside real pictures, what they show, how to go on.

What a judge recognises is `finefit.analysis.own`.
"""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd
from IPython.display import HTML

from finefit import judges
from finefit.analysis.collect import Results
from finefit.analysis.own import Recognised, first_judge, is_own, recognised
from finefit.analysis.scores import evaluation_of
from finefit.jobs import readers
from finefit.jobs.quantities import plural
from finefit.report.sheets import gallery, sheet, strip, strips
from finefit.report.tables import named
from finefit.report.text import PENDING, heading, number, table

NAMED, WORST = 12, 6  # classes that a sentence names, and that are shown as the worst
REAL, SAMPLES = 2, 6
OTHER_BASE = {  # of the shipped ones, and when
    "base-mini-32": ("base-photo-32", "costs no time more: this one has seen photographs, the study's only drawings."),
    "base-photo-32": ("base-mini-32", "costs no time more: this one has seen drawings only, if yours are drawn."),
}


def opening(found: Results) -> HTML:
    """What a study of somebody's own pictures shows first; nothing of it for other studies."""
    if not is_own(found):
        return HTML("")
    parts = {
        "Your pictures": beside_nearest(found),
        "What can be told": can_be_told(found),
        "Classes that came out worst": worst(found),
        "How to go on": further(found),
    }
    shown = (f'<h2 id="{title.replace(" ", "-")}">{title}</h2>{part}' for title, part in parts.items())
    return HTML("".join(shown))


def beside_nearest(found: Results) -> str:
    """Per group and method: the first samples of classes, and below each the real picture that lies nearest to it."""
    parts = ["<p>Of some classes the first sample, none of them selected, and below it the picture you gave that lies "]
    parts += ["nearest to it.</p>"]
    for group, row in main_rows(found):
        file = evaluation_of(row, found.study.seeds[0]).path / f"neighbours-{judges.slug(first_judge(found))}.npz"
        if not file.exists():
            parts.append(f"<p>{PENDING}</p>")
            continue
        with readers.arrays(file) as kept:
            arrays = {name: kept[name] for name in kept}
        classes = found.classes(group)
        if "first_classes" not in arrays or classes is None:
            parts.append('<p class="note">Evaluated before these pictures were kept; evaluate it anew to see them.</p>')
            continue
        name_of = classes.set_index("class_id")["class_name"]
        columns = arrays["first_classes"], arrays["first_samples"], arrays["first_train"]
        cells = [two(name_of[label], sample, nearest) for label, sample, nearest in zip(*columns, strict=True)]
        parts.append(heading(f"{group}: {row['variant']}", len(main_rows(found))))
        parts.append(f'<div class="firsts">{"".join(cells)}</div>')
    return "".join(parts)


def two(name: str, sample: np.ndarray, nearest: np.ndarray) -> str:
    """A sample of a class, and below it the real picture that lies nearest to it."""
    above = strip(sample[None], f"sample of {escape(name, quote=True)}")
    below = strip(nearest[None], "real picture, the nearest to it")
    return f"<figure>{above}{below}<figcaption>{escape(name)}</figcaption></figure>"


def can_be_told(found: Results) -> str:
    """Per group and method in a few sentences: which classes a judge names in samples, and which it does not."""
    parts = []
    for group, row in main_rows(found):
        shown = recognised(found, group, row)
        several = len(main_rows(found)) > 1
        where = f"<strong>{escape(group)}, {escape(row['variant'])}</strong>: " if several else ""
        parts.append(f'<p class="finding">{where}{PENDING if shown is None else sentence(found, shown)}</p>')
    return "".join(parts)


def sentence(found: Results, shown: Recognised) -> str:
    """What can be told of one row's samples and what cannot."""
    classes, clear, absent, unknown = shown.classes, shown.in_samples, shown.in_no_sample, shown.in_neither
    text = f"A judge ({escape(first_judge(found))}) names {percent(shown.share)} of the samples rightly, and "
    text += f"{percent(shown.known)} of real pictures that nobody trained on; "
    text += f"guessing names {percent(1 / len(classes))}. "
    text += f"Of {plural(len(classes), 'class')}, {len(clear)} can be told in at least half of their samples"
    text += f": {names(clear)}. " if len(clear) else ". "
    if len(absent):
        text += f"{len(absent)} can be told in real pictures and in no sample: {names(absent)}. "
    if len(unknown):
        text += f"Of {len(unknown)} the judge itself does not know the real pictures: {names(unknown)}. "
    if shown.known < shown.wanted:
        text += f"It should know {percent(shown.wanted)} of these before much is read from what it does not see. "
    return text


def worst(found: Results) -> str:
    """Per group and method: classes that can be told in real pictures and least in samples, with pictures of both."""
    parts = []
    for group, row in main_rows(found):
        judged = recognised(found, group, row)
        if judged is None:
            parts.append(f"<p>{PENDING}</p>")
            continue
        shown = judged.worst(WORST)
        columns = {
            "real": gallery(found, group, REAL),
            named(found, row): strips(found, row, SAMPLES),
        }
        body = [
            [escape(one["class_name"]), percent(one["real"]), percent(one["samples"])] for _, one in shown.iterrows()
        ]
        parts.append(heading(f"{group}: {row['variant']}", len(main_rows(found))) + sheet(found, group, columns, shown))
        parts.append(table(["class", "real pictures named", "samples named"], body, "worst"))
    return "".join(parts)


def further(found: Results) -> str:
    """How to go on, cheapest first, each with what to write into the study."""
    study = found.study
    steps = [
        (
            "Other guidance",
            "needs no training: only samples and scores are made anew. More guidance shows more of what was asked for, "
            "and less variety.",
            f"sample: {{scale: {4.0 if study.sample.scale < 4 else 2.0:g}}}  # now {study.sample.scale:g}",
        ),
        (
            "More steps",
            "cost time in proportion, and bring less than guidance does.",
            f"train: {{steps: {2 * study.train.steps}}}  # now {study.train.steps}",
        ),
        (
            "Training the whole network",
            "takes a file a hundred times as large, and was nearest to real pictures wherever it was tried on a small "
            "network.",
            "methods: {full: {lr: 1.0e-3, lr_multipliers: {y_embedder: 25.0}}}",
        ),
    ]
    if study.base.weights in OTHER_BASE:
        other, why = OTHER_BASE[study.base.weights]
        steps.append(("Another base", why, f"base: {{size: Mini, patch: 2, weights: {other}}}"))
    if study.codec.name == "patch_pca":
        steps.append(
            (
                "A GPU",
                "is what things need: on one, start from a base that has seen a million photographs, at 256 pixels. "
                "`finefit new` writes that study where it finds a GPU; its weights may not be used for commerce.",
                "base: {size: XL, patch: 2, weights: dit-xl-2-256}\ncodec: {name: sd_vae, weights: sd-vae-ft-mse}",
            )
        )
    items = [
        f"<li><strong>{what}</strong> {why.replace('`finefit new`', '<code>finefit new</code>')}"
        f"<pre>{escape(how)}</pre></li>"
        for what, why, how in steps
    ]
    return f'<ol class="further">{"".join(items)}</ol>'


def main_rows(found: Results) -> list[tuple[str, pd.Series]]:
    """Every group with each of its rows at the main scale."""
    return [(group, row) for group in found.groups for row in found.rows_of(group)]


def names(classes: pd.DataFrame) -> str:
    """The first names of some classes, and how many more there are."""
    shown = ", ".join(escape(name) for name in classes["class_name"][:NAMED])
    return shown + (f" and {len(classes) - NAMED} more" if len(classes) > NAMED else "")


def percent(share: float) -> str:
    """A share as a reader wants it; a dash where there is none."""
    return number(100 * share, 2) + " %" if share == share else number(share)
