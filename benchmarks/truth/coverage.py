"""How often all intervals of a table hold at once, by simulation: `python -m benchmarks.truth.coverage`.

Eight minutes. True values are zero, so an interval holds where it has zero in it, and a table where all of its
intervals do. Residuals are normal, heavy-tailed (Student's t with 3 degrees of freedom), normal with one method three
times as variable as the others, or with two such methods; a common effect of each seed, which must cancel, is added.
For comparison stand Tukey's range with the pooled variance alone, and that after a Brown-Forsythe test of the residuals
at 5 %, whose rejection is counted as held.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import levene

from finefit.analysis.blocks import NAMED, PAIRS, Fit
from finefit.analysis.statistics import ALPHA, critical

RESULTS = Path(__file__).parents[1] / "results/coverage.json"
DESIGNS = [(2, 3), (4, 3), (9, 2), (9, 3), (9, 5), (9, 16)]  # methods, and seeds or classes
CONTRASTS = 8  # differences from the first method, told together
COLUMNS = ("pairs", "means", "contrasts", "pooled alone", "after Brown-Forsythe")

Draw = Callable[[np.random.Generator, int, int], np.ndarray]


def louder(count: int) -> Draw:
    """Normal residuals, of which the first `count` methods' are three times as large."""

    def draw(random: np.random.Generator, methods: int, blocks: int) -> np.ndarray:
        scale = np.where(np.arange(methods) < count, 3.0, 1.0)
        return random.normal(size=(methods, blocks)) * scale[:, None]

    return draw


RESIDUALS: dict[str, Draw] = {
    "normal": louder(0),
    "heavy-tailed (t, 3 df)": lambda random, methods, blocks: random.standard_t(3, (methods, blocks)),
    "one method 3 times as variable": louder(1),
    "two methods 3 times as variable": louder(2),
}


def simulated(draw: Draw, methods: int, blocks: int, repeats: int, seed: int) -> dict[str, float]:
    """Share of tables of which all intervals hold, by kind of interval."""
    random = np.random.default_rng([seed, methods, blocks])
    held = [holds(draw(random, methods, blocks), random.normal(0, 5, blocks)) for _ in range(repeats)]
    return dict(zip(COLUMNS, np.mean(held, axis=0).tolist(), strict=True))


def holds(residuals: np.ndarray, seeds: np.ndarray) -> tuple[bool, ...]:
    """Whether all intervals of one table hold, in the order of `COLUMNS`."""
    methods, blocks = residuals.shape
    fit = Fit(pd.DataFrame(residuals + seeds, [str(row) for row in range(methods)]))
    means, variances = residuals.mean(1), fit.variances.to_numpy()
    errors = np.sqrt((variances[:, None] + variances) / blocks)
    ratios = np.abs(means[:, None] - means) / (errors + np.where(errors > 0, 0, 1))
    pairs = ratios.max() <= critical(ALPHA / fit.stricter(PAIRS), methods, fit.freedom)
    first = min(CONTRASTS, methods - 1)
    contrasts = ratios[0, 1 : first + 1].max() <= critical(ALPHA / fit.stricter(NAMED) / first, 2, fit.freedom)
    told = [fit.mean(name) for name in fit.used.index]
    true = seeds.mean() if methods > 2 else 0.0  # two methods: Student's interval, of the mean over all seeds
    inside = all(one.low <= true <= one.high for one in told)
    pooled = np.ptp(means) <= critical(ALPHA, methods, fit.freedom) * math.sqrt(2 * fit.pooled / blocks)
    tested = pooled or (blocks > 2 and levene(*fit.residuals, center="median").pvalue < ALPHA)
    return bool(pairs), inside, bool(contrasts), bool(pooled), bool(tested)


def table(rows: list[dict]) -> str:
    """The results as text."""
    lines = [f"{'residuals':<34}{'methods':>8}{'blocks':>7}  " + "  ".join(f"{name:>12}" for name in COLUMNS)]
    for row in rows:
        cells = "  ".join(f"{100 * row[name]:>{max(12, len(name))}.1f}" for name in COLUMNS)
        lines.append(f"{row['residuals']:<34}{row['methods']:>8}{row['blocks']:>7}  {cells}")
    return "\n".join(lines)


def main() -> None:
    """Simulate every design under every kind of residuals, print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows = [
        {"residuals": name, "methods": methods, "blocks": blocks}
        | simulated(draw, methods, blocks, given.repeats, given.seed)
        for methods, blocks in DESIGNS
        for name, draw in RESIDUALS.items()
    ]
    print(table(rows))
    RESULTS.write_text(json.dumps({"repeats": given.repeats, "seed": given.seed, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
