"""Judges: networks that see pictures as features; one file per family, found by its name.

A judge's name is its family's, with what chooses among it: `probe`, `dinov2-base`, `timm/resnet50.a1_in1k`. A family's
module offers

- `weights(name)`: the row of data/sources.csv that holds the network's weights, None where the study trains them;
- `load(name, file)`: the function from a batch of pictures to their features, from a file of weights;
- `facts(name, pixels)`: `Facts` for pictures of so many pixels, for planning;
- `stand_in(name, file)`: write random weights in the published layout, where the study does not train them.

All raise ValueError for a name that the family does not have. Torch is imported inside `load` only: planning stays
fast. What features are worth is not asked here: they become scores in `finefit.evaluation`, and every score bears its
judge's name, so that no two judges share a column.

May import: jobs, data, metrics.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from finefit.jobs import modules

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Facts:
    """Numbers of a feature, and operations that one picture takes; 0 where they were not counted."""

    width: int
    operations: float


Features = Callable[["Tensor"], "Tensor"]  # a batch of pictures, uint8 [n, h, w, 3], to float32 [n, d] on the CPU

UNHARMED = "unharmed"  # what a judge's table calls draws of pictures to which nothing was done
OWN = "probe"  # the judge that every study trains for itself
# What a judge says of a set of samples; its class accuracies are those of a linear head on its features.
SCORES = (
    "fd",
    "kd",
    "precision",
    "recall",
    "density",
    "coverage",
    "memorised",
    "class_accuracy",
    "superclass_accuracy",
)
# Names that were there before judges had names: the published one, and the probe's kernel distance.
KNOWN = {("inception", "fd"): "fid", ("inception", "kd"): "kid", ("probe", "kd"): "kid_probe"}


def find(name: str) -> ModuleType:
    """The module of a judge's family.

    Raises:
        ValueError: there is no such family.
    """
    return modules.find("finefit.judges", re.split("[-/]", name, maxsplit=1)[0], "judge")


def weights(name: str) -> str | None:
    """The row of data/sources.csv with a judge's weights; None for a judge that the study trains."""
    return find(name).weights(name)


def load(name: str, file: Path) -> Features:
    """A judge's network as the function from pictures to features.

    Raises:
        ValueError: the file does not hold exactly the weights of this network.
    """
    return find(name).load(name, file)


def slug(name: str) -> str:
    """A judge's name as part of a column's: `dinov2_base`, `timm_resnet50_a1_in1k`."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


def column(score: str, name: str) -> str:
    """The column of one of `SCORES` by a judge: `fd_dinov2_base`, and `fid` for Inception's Frechet distance."""
    return KNOWN.get((name, score), f"{score}_{slug(name)}")


def columns(name: str) -> list[str]:
    """The columns of all of a judge's scores."""
    return [column(score, name) for score in SCORES]
