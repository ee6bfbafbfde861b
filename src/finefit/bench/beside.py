"""A new method's scores among the kept ones of all others, and what this machine makes of a run that is kept.

The method's runs have the seeds of the kept study: the same order of data, the same noise. So they are a further row of
the same blocks, and its differences are those of all pairs of the larger table. Another machine rounds otherwise, and
three hundred steps later that is a difference which no seed shows. One kept run made again here says how large it is;
every interval of a difference between here and there is wider by it, to either side. That run's own chance is in
it, so it errs on the side of too much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from finefit.analysis import kept
from finefit.analysis.collect import Results
from finefit.analysis.decisions import MARGIN, Verdict, verdict
from finefit.analysis.scores import COST, OF_RUN, RUN, Scores
from finefit.analysis.statistics import Estimate
from finefit.bench.asked import Asked
from finefit.study.config import Study


@dataclass(frozen=True)
class Standing:
    """A method's difference to another one, wider by what the machine makes, and what it supports."""

    other: pd.Series
    difference: Estimate
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class Beside(Scores):
    """The kept scores with those of one method beside them."""

    asked: Asked

    @cached_property
    def own(self) -> Results:
        """What ran here: the method, and the control's one run."""
        return Results(self.asked.plan)

    @property
    def study(self) -> Study:
        """The kept study, with the method among its own."""
        here, there = self.asked.plan.study, self.asked.kept.study
        return there.model_copy(update={"methods": there.methods | {self.asked.entry: here.methods[self.asked.entry]}})

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """The kept rows, then the method's."""
        there = self.asked.kept.evaluations
        here = self.own.evaluations
        here = here[here["entry"] == self.asked.entry].reindex(columns=kept.columns(self.asked.kept))
        return pd.concat([there, here], ignore_index=True)

    @property
    def control_run(self) -> pd.Series:
        """The control's row among what ran here."""
        here = self.own.evaluations
        return here[(here["entry"] == self.asked.control) & (here["seed"] == self.asked.seed) & here["main"]].iloc[0]

    @cached_property
    def control(self) -> pd.DataFrame:
        """The control's one run, "kept" and "here", a row each: its scores and costs."""
        run, there = self.control_run, self.asked.kept.evaluations
        same = ["group", "entry", "guidance", "scale", "seed"]
        before = there[(there[same] == run[same]).all(axis=1)].iloc[0]
        columns = [*self.metrics, *RUN, *COST]
        return pd.DataFrame([before, run], index=["kept", "here"]).reindex(columns=columns).astype(float)

    def machine(self, metric: str) -> float:
        """What this machine makes of the control: its value here minus the kept one; nan where either is missing."""
        return float(self.control.loc["here", metric] - self.control.loc["kept", metric])

    @property
    def rows(self) -> list[pd.Series]:
        """The method's rows at the main scale, one for each guidance."""
        return [row for _, row in self.main.iterrows() if row["entry"] == self.asked.entry]

    def standings(self, row: pd.Series, metric: str) -> list[Standing]:
        """How a row of the method stands to every kept one of its group, the lowest mean first.

        Of a score that a run has by itself an entry stands once. Without the control's value no difference has an
        interval.
        """
        others = self.main[(self.main["group"] == row["group"]) & (self.main["entry"] != self.asked.entry)]
        if metric in OF_RUN:
            others = others.drop_duplicates("entry").assign(variant=lambda table: table["entry"])
        found = [self.standing(row, other, metric) for _, other in others.iterrows() if other[metric].count]
        return sorted(found, key=lambda one: one.other[metric].mean)

    def standing(self, row: pd.Series, other: pd.Series, metric: str) -> Standing:
        """How one row of the method stands to a kept one."""
        difference, shift = self.difference(row, other, metric), abs(self.machine(metric))
        difference = replace(difference, error=math.nan) if math.isnan(shift) else replace(difference, shift=shift)
        return Standing(other, difference, verdict(difference, MARGIN * abs(other[metric].mean)))
