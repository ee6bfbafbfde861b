"""The charts of the theory page; `finefit.claims.theory` computes what they show."""

from __future__ import annotations

import numpy as np
from IPython.display import HTML

from finefit.claims.theory import recovery, samples_bound, unexplained
from finefit.jobs.remembered import remembered
from finefit.report.style import COLOURS, FAINT, MARKERS, chart, panels

DIMENSIONS = (4, 8, 16, 32)
SEEDS = range(3)
SHEARS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
MADE = "Computed on this page by <code>finefit.claims.theory</code>; it depends on no run of the study."


def over_steps() -> HTML:
    """Error against steps with the exact covariance, and against samples, for several dimensions."""
    figure, (left, right) = panels(2, 3.6)
    for place, dimension in enumerate(DIMENSIONS):
        style = {"color": COLOURS[place], "label": f"D = {dimension}"}
        path, numbers, errors = remembered(["recovery", dimension, *SEEDS], lambda of=dimension: recoveries(of))
        left.semilogy(path, **style)
        right.loglog(numbers, errors, marker=MARKERS[place], **style)
        right.axvline(samples_bound(dimension), color=COLOURS[place], linestyle=":", linewidth=1)
    left.set(xlabel="steps of gradient descent", ylabel="relative error of the factors", title="exact covariance")
    right.set(xlabel="samples of the target", ylabel="relative error after 400 steps", title="finite samples")
    left.legend(fontsize=8)
    return chart(
        figure,
        "Error of the recovered scale factors against steps and against samples, for four dimensions",
        "Mean of three problems. Dotted: D² log D samples, the stated bound with its unpublished constant set to one.",
        MADE,
    )


def recoveries(dimension: int) -> tuple[list[float], list[int], list[float]]:
    """Means over `SEEDS`: errors after each step, by the exact covariance; sample sizes and the last errors by them."""
    path = np.mean([recovery(dimension, None, seed) for seed in SEEDS], axis=0)
    numbers = [max(dimension, round(samples_bound(dimension) * times)) for times in (0.25, 1, 4, 16)]
    errors = [float(np.mean([recovery(dimension, number, seed)[-1] for seed in SEEDS])) for number in numbers]
    return path.tolist(), numbers, errors


def outside_the_family() -> HTML:
    """What the best factors leave unexplained when the target is not a scaling of the source's coordinates."""
    figure, (axis,) = panels(1, 3.4)
    for place, dimension in enumerate(DIMENSIONS):
        left_over = [np.mean([unexplained(dimension, seed, shear) for seed in SEEDS]) for shear in SHEARS]
        axis.plot(SHEARS, left_over, color=COLOURS[place], marker=MARKERS[place], label=f"D = {dimension}")
    axis.axhline(0, color=FAINT, linewidth=1)
    axis.set(xlabel="size of the rotation added to the factors", ylabel="share of the covariance left unexplained")
    axis.legend(fontsize=8)
    return chart(
        figure,
        "Share of the target's covariance that the best scale factors cannot explain, against distance from the family",
        "At zero the target is a scaling of the source and nothing is left. Any other change is out of reach: more "
        "steps or samples do not help.",
        MADE,
    )
