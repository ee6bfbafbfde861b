"""How many fresh seeds the default study needs, from the variance that its first three left under an ImageNet network.

`python -m benchmarks.truth.seeds`. The distances are those of seeds 0 to 2 of the nine rows of mini's table, 256
samples each, as EfficientNet-Lite0 saw them at 96 pixels when it was first tried: nobody may take verdicts from them
any more, and this is all they are used for. The model is the ledger's (method and seed, additive); power is that of
Student's test of one difference (noncentral t: Cohen 1988, chapter 2).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import nct, t

from finefit.analysis.decisions import MARGIN, POWER
from finefit.analysis.statistics import ALPHA

DISTANCES = {
    "full": (841, 835, 845),
    "adaptformer": (909, 905, 906),
    "lora": (936, 949, 941),
    "difffit": (937, 951, 942),
    "bitfit": (946, 952, 955),
    "finediffusion null": (961, 964, 955),
    "vpt": (976, 982, 974),
    "finediffusion superclass": (1003, 995, 985),
    "labels": (1039, 1048, 1051),
}
MOST = 12


def main() -> None:
    """Print the residual deviation, and the power of each number of seeds."""
    values = np.array(list(DISTANCES.values()), float)
    methods, seeds = values.shape
    residuals = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    deviation = np.sqrt((residuals**2).sum() / ((methods - 1) * (seeds - 1)))
    margin = MARGIN * np.median(values)
    print(f"residual deviation {deviation:.2f}; margin {MARGIN:.1%} of {np.median(values):.0f}: {margin:.1f}")
    for count in range(2, MOST + 1):
        found = power(margin / deviation, methods, count)
        print(f"{count} seeds: power {found:.3f}" + " <- enough" * (found >= POWER))
        if found >= POWER:
            break


def power(ratio: float, methods: int, seeds: int) -> float:
    """The chance to see a difference of `ratio` residual deviations between two of the methods."""
    freedom = (methods - 1) * (seeds - 1)
    critical, moved = t.isf(ALPHA / 2, freedom), ratio * np.sqrt(seeds / 2)
    return float(nct.sf(critical, freedom, moved) + nct.cdf(-critical, freedom, moved))


if __name__ == "__main__":
    main()
