"""Parameters of published architectures, counted without memory, beside what a paper prints of them.

A file of facts names each network's class and configuration, which of them is trained, whose parameters make the
total, and the printed rows (data/published/controlnet.yaml).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from finefit.jobs import borders
from finefit.jobs.remembered import remembered

if TYPE_CHECKING:
    from torch import nn

PUBLISHED = Path("data/published/controlnet.yaml")


@dataclass(frozen=True)
class Row:
    """One printed row: its name, method, trained and total parameters, and the printed digits by unit."""

    row: str
    method: str
    trained: int
    total: int
    printed: dict[str, str]

    @property
    def share(self) -> float:
        """Trained share of the total, what the method added included, in percent."""
        return 100 * self.trained / self.total


def build(class_name: str, config: dict) -> nn.Module:
    """A network without memory, from its class ("library.Class") and configuration."""
    from finefit.jobs.empty_weights import empty_weights
    from finefit.jobs.torchvision_shim import importable_torchvision

    importable_torchvision()  # diffusers imports it on the way
    library, _, name = class_name.rpartition(".")
    made = getattr(import_module(library), name)
    configured = getattr(made, "config_class", None)  # transformers' networks take one object
    with empty_weights():
        return made(configured(**config)) if configured else made(**config)


@cache
def rows(file: Path = PUBLISHED) -> list[Row]:
    """Every printed row of a file of facts, counted.

    Raises:
        ValueError: the file is missing.
    """
    if not file.is_file():
        raise ValueError(f"{file}: no facts to count from; counts are made from the repository's root")
    with borders.reading(file, "not readable as YAML", "restore it by `git checkout`"):
        facts = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [Row(**row) for row in remembered(["parts", facts], lambda: [vars(row) for row in count(facts)])]


def count(facts: dict[str, Any]) -> list[Row]:
    """The printed rows of facts, on networks that are built for it."""
    from finefit.unets import methods

    networks = {name: build(fact["class"], fact["config"]) for name, fact in facts["networks"].items()}
    counted = []
    for row in facts["rows"]:
        done = methods.attach(networks[facts["trained"]], row["method"], **row["settings"])
        trained = sum(value.numel() for value in methods.trained(networks[facts["trained"]]).values())
        total = sum(methods.parameters_of(networks[name]) for name in facts["total"])
        counted.append(Row(row["row"], done.method, trained, total, row["printed"]))
        methods.detach(networks[facts["trained"]])
    return counted


def lines(file: Path = PUBLISHED) -> list[str]:
    """The rows for a terminal, ours beside the printed digits."""
    return [
        f"{row.row}: {row.trained:,} of {row.total:,} = {row.share:.4f} % trained; "
        f"published {row.printed['millions']} M, {row.printed['share']} %"
        for row in rows(file)
    ]
