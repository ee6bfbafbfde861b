"""Scores of a study's runs as tidy tables, and their comparison; whether from artifacts or from a kept report."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import pandas as pd

from finefit import judges
from finefit.analysis.blocks import Fit
from finefit.analysis.statistics import Estimate, estimate
from finefit.jobs.job import Job
from finefit.study.config import Study

BESIDE_DISTANCE = ("diversity_probe", "class_accuracy", "superclass_accuracy")
METRICS = (
    "fd_probe",
    "diversity_probe",
    "class_accuracy",
    "superclass_accuracy",
    "kid_probe",
    "precision_probe",
    "recall_probe",
    "memorised_probe",
    "denoising_loss",
    "density_probe",
    "coverage_probe",
)
RUN = ("trained_parameters", "total_parameters", "trained_share", "delta_bytes")
COST = ("train_seconds", "train_peak_bytes", "sample_seconds")
PUBLISHED = ("fid", "lpips")  # by the published networks
# What a run has by itself, the same however it is sampled.
OF_RUN = ("denoising_loss", "drift", "train_seconds")
ROW = ["group", "variant", "entry", "guidance", "scale", "main"]  # what one row of `variants` is


class Scores(ABC):
    """A study's scores. `evaluations` has a row per run and guidance; what is pending is nan.

    Its columns: `ROW`, `seed`, `state`, metrics, run's size and cost. `group` is data set and resolution; `variant` a
    method's entry, with its guidance where the entry has several; `main` whether it is at the study's main scale.
    """

    @property
    @abstractmethod
    def study(self) -> Study:
        """The study that asked for them."""

    @property
    @abstractmethod
    def evaluations(self) -> pd.DataFrame:
        """One row per run and guidance."""

    @cached_property
    def metrics(self) -> list[str]:
        """The scores that this study has or will have: `METRICS`, its judges', LPIPS and drift where asked for."""
        further = [column for judge in self.study.judges() for column in judges.columns(judge)]
        optional = ["lpips"] if "lpips" in self.study.evaluate.published else []
        optional += ["drift"] if self.study.evaluate.drift_pictures else []
        return list(dict.fromkeys([*METRICS, *further, *optional]))

    @property
    def distances(self) -> list[str]:
        """The Frechet distances of the study's judges, in their order."""
        return [judges.column("fd", name) for name in self.study.judges()]

    @property
    def distance(self) -> str:
        """The metric that says how near to real pictures: the Frechet distance of the study's first judge."""
        return self.distances[0]

    @property
    def headline(self) -> list[str]:
        """The scores that every table begins with."""
        return [self.distance, *BESIDE_DISTANCE]

    @cached_property
    def groups(self) -> dict[str, dict[str, Any]]:
        """Data set (its reader) and resolution of each group, such as "embedded-32", in the study's order."""
        return {
            f"{name}-{resolution}": {"data": section.reader or name, "resolution": resolution}
            for name, section in self.study.data.items()
            for resolution in section.resolutions
        }

    @cached_property
    def variants(self) -> pd.DataFrame:
        """`evaluations` over seeds: per group, variant and scale an `Estimate` per metric, size, and cost.

        Rows at the main scale are estimated among themselves, the others among all rows of their group.
        """
        rows = []
        for values, part in self.evaluations.groupby(ROW, sort=False):
            row = dict(zip(ROW, values, strict=True))
            row |= {
                metric: self.fit(row["group"], metric, row["main"]).mean(key(row, metric)) for metric in self.metrics
            }
            row |= {cost: estimate(part[cost]) for cost in COST} | {column: part[column].max() for column in RUN}
            row |= {"failure": first(part, "failure", ""), "absent": first(part, "absent", {})}
            row |= {"seeds": list(part["seed"]), "planned": len(part), "done": int((part["state"] == "done").sum())}
            rows.append(row | ({"jobs": list(part["job"])} if "job" in part else {}))
        return pd.DataFrame(rows)

    @property
    def main(self) -> pd.DataFrame:
        """`variants` at the study's main guidance scale: the rows of the results table."""
        return self.variants[self.variants["main"]]

    def rows_of(self, group: str) -> list[pd.Series]:
        """The rows of one group in the results table."""
        return [row for _, row in of_group(self.main, group).iterrows()]

    def seeds_of(self, row: pd.Series) -> pd.DataFrame:
        """The rows of `evaluations`, one per seed, that a row of `variants` is the mean of."""
        same = ["group", "entry", "guidance", "scale"]
        return self.evaluations[(self.evaluations[same] == row[same]).all(axis=1)]

    def fit(self, group: str, metric: str, main: bool) -> Fit:
        """The additive model of a metric in a group, of its rows at the main scale or of all."""
        known = self._fits
        if (group, metric, main) not in known:
            runs = self.evaluations[self.evaluations["group"] == group]
            runs = runs[runs["main"]] if main else runs
            known[group, metric, main] = Fit(by_seed(runs, metric))
        return known[group, metric, main]

    def difference(self, first: pd.Series, second: pd.Series, metric: str) -> Estimate:
        """Difference of two rows of `variants` of one group, as one of all pairs of rows."""
        return self._among([first, second], metric).difference(key(first, metric), key(second, metric))

    def contrast(self, pairs: Sequence[tuple[pd.Series, pd.Series]], metric: str) -> Estimate:
        """Mean difference first - second over pairs of rows of one group, asked for by itself."""
        weights: dict[str, float] = {}
        for pair in pairs:
            for row, sign in zip(pair, (1, -1), strict=True):
                name = key(row, metric)
                weights[name] = weights.get(name, 0.0) + sign / len(pairs)
        return self._among([row for pair in pairs for row in pair], metric).contrast(weights)

    def _among(self, rows: Sequence[pd.Series], metric: str) -> Fit:
        """The model of the rows at the main scale where all of these are, else of all rows of their group."""
        return self.fit(rows[0]["group"], metric, all(row["main"] for row in rows))

    @cached_property
    def _fits(self) -> dict[tuple[str, str, bool], Fit]:
        return {}


def first(part: pd.DataFrame, column: str, default: Any) -> Any:
    """The first value of a column that says something; a kept report has no such column."""
    return next((value for value in part.get(column, ()) if value), default)


def key(row: pd.Series | dict[str, Any], metric: str) -> str:
    """A row's name within its group, in the model of a metric: its entry where guidance makes no difference to it."""
    return row["entry"] if metric in OF_RUN else f"{row['entry']} {row['guidance']} {row['scale']:g}"


def by_seed(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """A metric with a row per variant and scale and a column per seed; nan where a run is missing."""
    named = runs.assign(row=[key(run, metric) for run in runs.to_dict("records")]).drop_duplicates(["row", "seed"])
    return named.pivot(index="row", columns="seed", values=metric).reindex(pd.unique(named["row"]))


def of_group(frame: pd.DataFrame, group: str) -> pd.DataFrame:
    """The rows of one group."""
    return frame[frame["group"] == group]


def evaluation_of(row: pd.Series, seed: int) -> Job:
    """The "evaluate" job of one seed of a row of `Results.variants`."""
    return dict(zip(row["seeds"], row["jobs"], strict=True))[seed]


def anchor(row: pd.Series) -> str:
    """What pages and verdicts.json call the runs behind a row of `variants`: its name as a part of an address."""
    return "made-" + slug(row["group"], row["entry"], row["guidance"], f"{row['scale']:g}")


def slug(*parts: object) -> str:
    """Names and numbers as a part of an address."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(map(str, parts)).lower()).strip("-")
