"""The first page of a study of somebody's own photographs: samples beside real pictures, what they show, how to go on.

What a network draws is told by the study's first judge: a linear head on its features names the class of a picture. Of
held-out real pictures that says what can be told at all; of samples, which classes the network has learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
from IPython.display import HTML

from finefit import judges
from finefit.analysis.collect import Results, content
from finefit.analysis.scores import of_group
from finefit.claims.verdicts import judge
from finefit.jobs import readers
from finefit.jobs.job import Job
from finefit.jobs.quantities import plural
from finefit.report.sheets import gallery, job_of, sheet, strip, strips
from finefit.report.tables import named
from finefit.report.text import PENDING, heading, number, table

HALF = 0.5  # of a class's pictures: from there on the class counts as told
NAMED, WORST = 12, 6  # classes that a sentence names, and that are shown as the worst
REAL, SAMPLES = 2, 6


@dataclass(frozen=True)
class Told:
    """What a judge's head names of a row's samples and of real pictures.

    Attributes:
        row: of `Results.main`.
        known: share of all held-out real pictures that are named rightly, and `wanted` the least for a trusted judge.
        classes: `class_id`, `class_name`, `superclass`, and shares `real` and `samples` (nan where there is none).
    """

    row: pd.Series
    known: float
    wanted: float
    classes: pd.DataFrame

    @property
    def share(self) -> float:
        """Share of the samples that are named rightly, each class counted alike."""
        return float(self.classes["samples"].mean())


def is_own(found: Results) -> bool:
    """Whether all pictures of a study are somebody's own: of no publisher, and of no source to fetch."""
    readers = [(found.study.reader(name), found.study.reader_settings(name)) for name in found.study.data]
    return all(reader.PUBLISHED is None and not reader.sources(settings) for reader, settings in readers)


def tests_claims(found: Results) -> bool:
    """Whether a study's runs test any claim of a paper; counts and calculations need no runs."""
    return any(tested.finding.rows for one in judge(found) for tested in one.tested)


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
        file = job(found, row).path / f"neighbours-{judges.slug(first_judge(found))}.npz"
        if not file.exists():
            parts.append(f"<p>{PENDING}</p>")
            continue
        with readers.arrays(file) as kept:
            known = {name: kept[name] for name in kept}
        classes = found.classes(group)
        if "first_classes" not in known or classes is None:
            parts.append('<p class="note">Evaluated before these pictures were kept; evaluate it anew to see them.</p>')
            continue
        of = classes.set_index("class_id")["class_name"]
        columns = known["first_classes"], known["first_samples"], known["first_train"]
        cells = [two(of[label], sample, nearest) for label, sample, nearest in zip(*columns, strict=True)]
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
        known = told(found, group, row)
        many = len(main_rows(found)) > 1
        where = f"<strong>{escape(group)}, {escape(row['variant'])}</strong>: " if many else ""
        parts.append(f'<p class="finding">{where}{PENDING if known is None else sentence(found, known)}</p>')
    return "".join(parts)


def sentence(found: Results, known: Told) -> str:
    """What can be told of one row's samples and what cannot."""
    classes = known.classes
    seen = classes[classes["samples"] >= HALF].sort_values("samples", ascending=False)
    unseen = classes[(classes["samples"] == 0) & (classes["real"] >= HALF)]
    blind = classes[classes["real"] < HALF]
    text = f"A judge ({escape(first_judge(found))}) names {percent(known.share)} of the samples rightly, and "
    text += f"{percent(known.known)} of real pictures that nobody trained on; "
    text += f"guessing names {percent(1 / len(classes))}. "
    text += f"Of {plural(len(classes), 'class')}, {len(seen)} can be told in at least half of their samples"
    text += f": {names(seen)}. " if len(seen) else ". "
    if len(unseen):
        text += f"{len(unseen)} can be told in real pictures and in no sample: {names(unseen)}. "
    if len(blind):
        text += f"Of {len(blind)} the judge itself does not know the real pictures: {names(blind)}. "
    if known.known < known.wanted:
        text += f"It should know {percent(known.wanted)} of these before much is read from what it does not see. "
    return text


def worst(found: Results) -> str:
    """Per group and method: classes that can be told in real pictures and least in samples, with pictures of both."""
    parts = []
    for group, row in main_rows(found):
        known = told(found, group, row)
        if known is None:
            parts.append(f"<p>{PENDING}</p>")
            continue
        lost = known.classes.assign(lost=known.classes["real"] - known.classes["samples"]).dropna(subset="lost")
        shown = lost.sort_values(["lost", "class_id"], ascending=[False, True], kind="stable").head(WORST)
        columns = {
            "real": gallery(found, group, REAL),
            named(found, row): strips(job_of(row, found.study.seeds[0]), SAMPLES),
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


def told(found: Results, group: str, row: pd.Series) -> Told | None:
    """What the first judge's head names of a row's samples; None while anything of it is pending."""
    judging, classes, scores = found.judging(group)[first_judge(found)], found.classes(group), found.class_scores(row)
    column = judges.column("class_accuracy", first_judge(found))
    file, result = judging.path / "known.csv", content(judging, "judge.json")
    if classes is None or scores is None or column not in scores or not result or not file.exists():
        return None
    real = readers.table(file).set_index("class_id")["known"]
    shares = classes.assign(real=classes["class_id"].map(real), samples=classes["class_id"].map(scores[column]))
    return Told(row, result["known"], result["wanted"], shares)


def first_judge(found: Results) -> str:
    """The judge that a study asks first."""
    return found.study.judges()[0]


def main_rows(found: Results) -> list[tuple[str, pd.Series]]:
    """Every group with each of its rows at the main scale."""
    return [(group, row) for group in found.groups for _, row in of_group(found.main, group).iterrows()]


def job(found: Results, row: pd.Series) -> Job:
    """The evaluation of a row by the study's first seed."""
    return dict(zip(row["seeds"], row["jobs"], strict=True))[found.study.seeds[0]]


def names(classes: pd.DataFrame) -> str:
    """The first names of some classes, and how many more there are."""
    shown = ", ".join(escape(name) for name in classes["class_name"][:NAMED])
    return shown + (f" and {len(classes) - NAMED} more" if len(classes) > NAMED else "")


def percent(share: float) -> str:
    """A share as a reader wants it; a dash where there is none."""
    return number(100 * share, 2) + " %" if share == share else number(share)
