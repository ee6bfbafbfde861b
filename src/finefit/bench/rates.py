"""A method's learning rates by the rule that chose those of all others (studies/tuning.yaml), with the same budget.

Four rates half a decade apart, with the class table learning five times as fast; then three multipliers of the class
table's rate at the best of them: each chosen by the lowest held-out denoising loss on a sibling of the data, whose
classes nothing is scored on. A grid goes on while its best is at an edge.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finefit.analysis.collect import content
from finefit.bench import run
from finefit.bench.asked import FOLDER
from finefit.study import reading
from finefit.study.config import Study
from finefit.study.plan import Plan

TUNING = Path("studies/tuning.yaml")
FIRST, MULTIPLIERS = (-5, -4, -3, -2), (0, 1, 2)  # half decades: 3e-3 to 1e-1; powers of five
TABLE = 1  # the power of five that rates are chosen at

Losses = Callable[[list[dict[str, Any]]], list[float]]  # the held-out denoising loss of each entry's settings


def chosen(settings: dict[str, Any], losses: Losses) -> dict[str, Any]:
    """Settings with the `lr` and `lr_multipliers` that the rule chooses.

    Raises:
        ValueError: no rate gave a finite loss.
    """
    rate = best(FIRST, lambda power: entry(settings, power, TABLE), losses)
    table = best(MULTIPLIERS, lambda power: entry(settings, rate, power), losses)
    return entry(settings, rate, table)


def best(first: tuple[int, ...], at: Callable[[int], dict[str, Any]], losses: Losses) -> int:
    """The power of the lowest loss, of those in `first` and of as many beyond an edge as are still lower there."""
    found = dict(zip(first, losses([at(power) for power in first]), strict=True))
    while True:
        finite = {power: loss for power, loss in found.items() if loss == loss}
        if not finite:
            raise ValueError("bench: no learning rate that was tried gives a finite loss; does the method train?")
        lowest = min(finite, key=lambda power: finite[power])
        beyond = lowest - 1 if lowest == min(found) else lowest + 1 if lowest == max(found) else None
        if beyond is None:
            return lowest
        found[beyond] = losses([at(beyond)])[0]


def entry(settings: dict[str, Any], rate: int, table: int) -> dict[str, Any]:
    """Settings at a rate, counted in half decades, with the class table's multiplier, counted in powers of five."""
    return settings | {"lr": half_decades(rate), "lr_multipliers": {"y_embedder": 5.0**table}}


def half_decades(power: int) -> float:
    """1, 3, 10, 30 and so on: the rate that stands so many half decades above 1."""
    return float(f"{'3' if power % 2 else '1'}e{power // 2}")


def name_of(settings: dict[str, Any]) -> str:
    """An entry's name: the same for the same rates, so that no run is made twice."""
    return f"lr-{settings['lr']:g}-table-{settings['lr_multipliers']['y_embedder']:g}"


def study(method: str, tried: list[dict[str, Any]]) -> Study:
    """The tuning study with nothing but some settings of a method, each an entry that is named by its rates."""
    content, _ = reading.read(TUNING)
    asked = copy.deepcopy(content)
    asked["name"] = f"bench-{method}-rates"
    asked["methods"] = {name_of(one): one | {"method": method} for one in tried}
    return reading.parse(asked, "finefit bench --tune")


def tuned(method: str, settings: dict[str, Any]) -> dict[str, Any]:
    """A method's settings with the rates that the rule chooses; runs what it needs."""

    def losses(tried: list[dict[str, Any]]) -> list[float]:
        asked = study(method, tried)
        file = FOLDER / method / "rates.yaml"
        plan = Plan(asked)
        own = [job for job in plan.kind("denoise") if "run" in job.inputs]
        run.write(asked, file)
        run.make(file, own)
        return [content(job, "denoising.json")["denoising_loss"] for job in own]

    return chosen(settings, losses)
