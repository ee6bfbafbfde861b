"""What samples are worth to a classifier: accuracies with and without them, over seeds, bands of classes, and classes.

Under every seed of the study classifiers of the same seeds are trained on real pictures alone and with samples, so
seeds are blocks (`blocks`): a gain is a difference within them, its error pooled over training sets; over classes where
it is told of every class.
"""

from __future__ import annotations

from functools import lru_cache

import pandas as pd

from finefit.analysis.blocks import Fit
from finefit.analysis.collect import Results
from finefit.analysis.statistics import NOTHING, Estimate
from finefit.jobs import readers

REAL, SAMPLES = "real", "samples"
BANDS = ("rare", "middle", "common")


@lru_cache(maxsize=4)
def results(found: Results) -> pd.DataFrame:
    """Right answers with a row per `group`, `entry` ("" for real pictures), `seed`, `trained_on`, and class.

    Its further columns: `class_id`, `train`, `pictures`, `right`, summed over classifiers; pending jobs have no rows.
    """
    parts = []
    for job in found.plan.kind("utility"):
        if job.marker.exists():
            entry = ""
            if "sample" in job.inputs:
                run = job.inputs["sample"].inputs["run"]
                entry = run.name.partition("/")[2].removesuffix(f"-s{run.settings['seed']}")
            known = {"group": job.name.partition("/")[0], "entry": entry, "seed": job.settings["seed"]}
            parts.append(readers.table(job.path / "utility.csv").assign(**known))
    keys = ["group", "entry", "seed", "trained_on", "class_id"]
    if not parts:
        return pd.DataFrame(columns=[*keys, "train", "pictures", "right"])
    rows = pd.concat(parts).groupby(keys, as_index=False)
    return rows.agg({"train": "first", "pictures": "sum", "right": "sum"})


def ways(found: Results) -> list[str]:
    """The training sets that hold samples, those with most of them first."""
    ratios = found.study.evaluate.utility.ratios if found.study.evaluate.utility else []
    return [f"1:{ratio}" for ratio in sorted(ratios, reverse=True)] + [SAMPLES]


def shares(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of classes that have test pictures, with the `share` of these named rightly and what was `learned` from."""
    rows = rows[rows["pictures"] > 0]
    learned = (rows["entry"] + " " + rows["trained_on"]).str.strip()
    return rows.assign(share=rows["right"] / rows["pictures"], learned=learned)


def accuracies(rows: pd.DataFrame) -> Fit:
    """The additive model of training set and seed of the accuracy, in which every class counts the same."""
    return Fit(shares(rows).pivot_table(index="learned", columns="seed", values="share"))


def accuracy(rows: pd.DataFrame, learned: str) -> Estimate:
    """Mean accuracy over seeds of a training set: "real", or entry and way ("full 1:10")."""
    fit = accuracies(rows)
    return fit.mean(learned) if learned in fit.values.index else NOTHING


def gain(rows: pd.DataFrame, entry: str, way: str) -> Estimate:
    """How much more a classifier names rightly than one that was trained on real pictures alone."""
    fit, learned = accuracies(rows), f"{entry} {way}"
    return fit.contrast({learned: 1.0, REAL: -1.0}) if {learned, REAL} <= set(fit.values.index) else NOTHING


def in_group(found: Results, group: str) -> tuple[pd.DataFrame, list[str]]:
    """A group's rows, and the entries that the study has."""
    rows = results(found)
    return rows[rows["group"] == group], list(found.study.methods)


def questions(found: Results) -> int:
    """Gains that are told together: every method and way, in every group."""
    return len(found.study.methods) * len(ways(found)) * len(found.groups)


def class_gains(found: Results, group: str, entry: str, way: str) -> dict[int, Estimate]:
    """The gain of every class under a method, told together: from the additive model of class and seed of the gains."""
    rows, _ = in_group(found, group)
    tables = {
        learned: part.pivot(index="class_id", columns="seed", values="share")
        for learned, part in shares(rows).groupby("learned")
    }
    learned = f"{entry} {way}"
    if not {learned, REAL} <= tables.keys():
        return {}
    fit = Fit(tables[learned] - tables[REAL])
    return {label: fit.mean(label) for label in fit.values.index}


def names_of(found: Results, group: str) -> dict[int, str]:
    """Class names by id."""
    known = found.classes(group)
    return {} if known is None else dict(zip(known["class_id"], known["class_name"], strict=True))


def band_of(train: pd.Series) -> pd.Series:
    """The band of every class by its training pictures: thirds of the classes, equal counts together; or one, "all"."""
    if train.nunique() == 1:
        return pd.Series("all", train.index)
    rank = train.rank(method="average", pct=True)
    return pd.cut(rank, [0, 1 / 3, 2 / 3, 1], labels=list(BANDS)).astype(str)
