"""What the first judge recognises in a study of somebody's own photographs: classes, in real pictures and in samples.

A linear head on the judge's features names the class of a picture. Of held-out real pictures that says what can be
recognised at all; of samples, which classes the network has learned.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from finefit import judges
from finefit.analysis.collect import Results, content
from finefit.jobs import readers

HALF = 0.5  # of a class's pictures: from there on the class counts as recognised


@dataclass(frozen=True)
class Recognised:
    """What a judge's head names of a row's samples and of real pictures.

    Attributes:
        known: share of all held-out real pictures that are named rightly, and `wanted` the least for a trusted judge.
        classes: `class_id`, `class_name`, `superclass`, and shares `real` and `samples` (nan where there is none).
    """

    known: float
    wanted: float
    classes: pd.DataFrame

    @property
    def share(self) -> float:
        """Share of the samples that are named rightly, each class counted alike."""
        return float(self.classes["samples"].mean())

    @property
    def in_samples(self) -> pd.DataFrame:
        """The classes that are recognised in samples, the surest first."""
        return self.classes[self.classes["samples"] >= HALF].sort_values("samples", ascending=False)

    @property
    def in_no_sample(self) -> pd.DataFrame:
        """The classes that are recognised in real pictures and in none of the samples."""
        return self.classes[(self.classes["samples"] == 0) & (self.classes["real"] >= HALF)]

    @property
    def in_neither(self) -> pd.DataFrame:
        """The classes whose real pictures the judge does not know itself."""
        return self.classes[self.classes["real"] < HALF]

    def worst(self, count: int) -> pd.DataFrame:
        """The classes that samples lose the most of, beside their real pictures."""
        lost = self.classes.assign(lost=self.classes["real"] - self.classes["samples"]).dropna(subset="lost")
        return lost.sort_values(["lost", "class_id"], ascending=[False, True], kind="stable").head(count)


def is_own(found: Results) -> bool:
    """Whether all pictures of a study are somebody's own: of no publisher, and of no source to fetch."""
    readers_of_data = [(found.study.reader(name), found.study.reader_settings(name)) for name in found.study.data]
    return all(reader.PUBLISHED is None and not reader.sources(settings) for reader, settings in readers_of_data)


def first_judge(found: Results) -> str:
    """The judge that a study asks first."""
    return found.study.judges()[0]


def recognised(found: Results, group: str, row: pd.Series) -> Recognised | None:
    """What the first judge's head names of a row's samples; None while anything of it is pending."""
    judging, classes, scores = found.judging(group)[first_judge(found)], found.classes(group), found.class_scores(row)
    column = judges.column("class_accuracy", first_judge(found))
    file, result = judging.path / "known.csv", content(judging, "judge.json")
    if classes is None or scores is None or column not in scores or not result or not file.exists():
        return None
    real = readers.table(file).set_index("class_id")["known"]
    shares = classes.assign(real=classes["class_id"].map(real), samples=classes["class_id"].map(scores[column]))
    return Recognised(result["known"], result["wanted"], shares)
