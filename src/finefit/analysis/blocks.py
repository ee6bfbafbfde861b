"""Methods compared in blocks: the additive model of method and seed, its residual variance, all pairs and contrasts.

A seed fixes the order of the data and the noise, the same for every method, so seeds are the blocks of a randomised
block design (Fisher 1935; Montgomery, Design and Analysis of Experiments, chapter 4): value = method + seed + residual.
What a seed does to all methods alike cancels from every difference. The residual variance is pooled over the m methods,
since one method's s seeds say next to nothing about it: (m - 1)(s - 1) degrees of freedom instead of s - 1. The same
model serves for classes as blocks.

Methods need not be equally variable, and no test can tell with two or three seeds: the Brown-Forsythe test of residuals
rejects nothing at all with three, and pooling after it would cover 86 % where it says 95
(benchmarks/truth/coverage.py). So none decides. A method whose own residuals are larger than the pool's keeps its own
variance, the others get the pool's, and intervals are somewhat stricter than equal variances need (`PAIRS`, `NAMED`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from finefit.analysis.statistics import ALPHA, NOTHING, Estimate, critical, estimate

# What one method three times as variable as the others costs: pairs at 97 % where 95 are promised, and differences that
# are named beforehand, where all may be of the one method, at 98.3 %. By simulation: benchmarks/truth/coverage.py.
PAIRS, NAMED = 5 / 3, 3.0
ROUNDING = 1e-5  # of the largest value: what six printed digits leave of a residual of zero


@dataclass(frozen=True, eq=False)
class Fit:
    """The additive model of a table of values: methods in its rows, blocks in its columns, nan where a run is missing.

    Only complete blocks enter (`complete`); what is left out of them has means, and no interval (an error of nan).
    """

    values: pd.DataFrame

    @cached_property
    def used(self) -> pd.DataFrame:
        """The complete blocks that the model is fitted to."""
        return complete(self.values)

    @cached_property
    def freedom(self) -> int:
        """Degrees of freedom of the residuals, (m - 1)(s - 1); 0 where there are no two methods or no two blocks.

        Also 0 where all residuals vanish: accuracies come in steps of one picture, two seeds may agree by chance, and
        a variance of zero would separate anything.
        """
        methods, blocks = self.used.shape
        if min(methods, blocks) < 2 or np.abs(self.residuals).max() <= ROUNDING * np.abs(self.used.to_numpy()).max():
            return 0
        return (methods - 1) * (blocks - 1)

    @cached_property
    def residuals(self) -> np.ndarray:
        """`[m, s]`: value - method's mean - block's mean + mean of all."""
        table = self.used.to_numpy()
        return table - table.mean(1, keepdims=True) - table.mean(0, keepdims=True) + table.mean()

    @cached_property
    def pooled(self) -> float:
        """The residual variance pooled over methods (the residual mean square); nan without degrees of freedom."""
        return float((self.residuals**2).sum()) / self.freedom if self.freedom else math.nan

    @cached_property
    def variances(self) -> pd.Series:
        """Each method's residual variance: its own where that is the larger, else the pooled one.

        A method's own is unbiased (Russell and Bradley 1958, Biometrika 45): from E SS_i / (s - 1) = v_i (1 - 2/m) +
        mean(v) / m. With two methods the residuals mirror each other and no own variance exists.
        """
        methods, blocks = self.used.shape
        if not self.freedom or methods == 2:
            return pd.Series(self.pooled, self.used.index)
        own = ((self.residuals**2).sum(1) / (blocks - 1) - self.pooled / methods) / (1 - 2 / methods)
        return pd.Series(np.maximum(own, self.pooled), self.used.index)

    def stricter(self, tests: float) -> float:
        """How much stricter than for equal variances; of two methods the difference has one variance by itself."""
        return tests if len(self.used) > 2 else 1.0

    def mean(self, method: str) -> Estimate:
        """A method's mean over these blocks; intervals of all m means hold together.

        The interval is what the method's own chance leaves open under these seeds. With fewer than three methods it is
        the method's own spread over seeds, Student's.
        """
        alone = estimate(self.values.loc[method])
        if not self.freedom or method not in self.used.index:
            return Estimate(alone.mean, math.nan, math.nan, alone.count)
        if len(self.used) < 3:
            return estimate(self.used.loc[method]).among(len(self.used))
        blocks = self.used.shape[1]
        error = math.sqrt(self.variances[method] / blocks)
        among = self.stricter(NAMED) * len(self.used)
        return Estimate(float(self.used.loc[method].mean()), error, self.freedom, blocks, among)

    def difference(self, first: str, second: str) -> Estimate:
        """first - second as one of all pairs of methods: intervals of all pairs hold together (Tukey's range)."""
        found = self.contrast({first: 1.0, second: -1.0})
        if math.isnan(found.error):
            return found
        tests = self.stricter(PAIRS)
        return Estimate(found.mean, found.error, found.freedom, found.count, tests, len(self.used))

    def least(self, tests: float = 1.0) -> float:
        """The least difference that separates two equally variable methods among all pairs.

        With one test it is Tukey's honest significant difference at 5 %: q(m, df) sqrt(MS_residual / s).
        """
        methods, blocks = self.used.shape
        return critical(ALPHA / tests, methods, self.freedom) * math.sqrt(2 * self.pooled / blocks)

    def contrast(self, weights: Mapping[str, float]) -> Estimate:
        """A weighted sum of methods' means that was asked for by itself; `Estimate.among` corrects for several."""
        weights = {method: weight for method, weight in weights.items() if weight}
        table = self.values.loc[list(weights)].replace([np.inf, -np.inf], np.nan).dropna(axis=1)
        if not all(method in self.used.index for method in weights) or not self.freedom:
            if not table.shape[1]:
                return NOTHING
            return Estimate(float(table.mean(axis=1) @ pd.Series(weights)), math.nan, math.nan, table.shape[1])
        weighting, blocks = pd.Series(weights, dtype=float), self.used.shape[1]
        variance = float((weighting**2) @ self.variances[weighting.index]) / blocks
        mean = float(self.used.loc[weighting.index].mean(axis=1) @ weighting)
        return Estimate(mean, math.sqrt(variance), self.freedom, blocks, self.stricter(NAMED))


def complete(values: pd.DataFrame) -> pd.DataFrame:
    """The blocks that all methods have; methods with fewest values are left out while fewer than two such blocks stand.

    Values that are not finite count as missing. A method without any value is left out at once.
    """
    table = values.astype(float).replace([np.inf, -np.inf], np.nan).dropna(how="all")
    while len(table) and table.isna().any(axis=None) and table.dropna(axis=1).shape[1] < 2:
        table = table.drop(index=table.notna().sum(axis=1)[::-1].idxmin())  # of several the last
    return table.dropna(axis=1)
