"""Trained and total parameters of every method, counted on networks without memory, beside what the papers print.

Conventions: the class table is trained in every row and has a null row wherever the method needs one; a share is of
the fine-tuned network, what the method added included. DiffFit's totals leave the fixed position embedding out,
FineDiffusion's hold it; both are given.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Any

from finefit import datasets
from finefit.data import sources
from finefit.jobs.remembered import remembered

PUBLISHED = Path("data/published/counts.csv")
PUBLISHED_MODEL = "DiT-XL/2"
VARIANTS_ON = "food101"  # DiffFit's first data set


@dataclass(frozen=True)
class Count:
    """Parameters of one method on one data set; shares in percent, the delta in bytes of float32."""

    model: str
    method: str
    settings: dict[str, Any]
    label_rows: int
    trained: int
    total: int
    total_without_positions: int

    @property
    def share(self) -> float:
        """Trained share of all parameters, in percent."""
        return 100 * self.trained / self.total

    @property
    def share_without_positions(self) -> float:
        """Trained share of all parameters but the position embedding, in percent."""
        return 100 * self.trained / self.total_without_positions

    @property
    def delta_bytes(self) -> int:
        """Size of what is trained, in float32."""
        return 4 * self.trained

    def row(self) -> dict[str, Any]:
        """All values under their names."""
        derived = ("share", "share_without_positions", "delta_bytes")
        return vars(self) | {name: getattr(self, name) for name in derived}


def counted(model: str, method: str, settings: dict[str, Any], classes: int, superclasses: int) -> Count:
    """Count a method's parameters on `model`, e.g. "DiT-XL/2", at 256 pixels (latents of 32).

    Raises:
        ValueError: no such model, method or setting.
    """
    given = [model, method, settings, classes, superclasses]
    return Count(**remembered(["count", *given], lambda: vars(count(*given))))


def count(model: str, method: str, settings: dict[str, Any], classes: int, superclasses: int) -> Count:
    """`counted`, on a network that is built for it."""
    from finefit.deltas.network import network
    from finefit.jobs.empty_weights import empty_weights

    size, patch = parsed(model)
    run = {
        "method": method,
        "method_settings": settings,
        "network": {"size": size, "patch": patch},
        "seed": 0,
        "num_classes": classes,
        "superclass_of": [number % superclasses for number in range(classes)],
        "latent_shape": [4, 32, 32],
    }
    with empty_weights():
        built = network(run, None)
    numbers = {name: parameter.numel() for name, parameter in built.named_parameters()}
    return Count(
        model=model,
        method=method,
        settings=settings,
        label_rows=built.y_embedder.embedding_table.num_embeddings,
        trained=sum(numbers[name] for name in built.trained),
        total=sum(numbers.values()),
        total_without_positions=sum(numbers.values()) - numbers["pos_embed"],
    )


def parsed(model: str) -> tuple[str, int]:
    """Size and patch of a model's published name."""
    from finefit.models.shapes import SIZES

    size, _, patch = model.removeprefix("DiT-").partition("/")
    if size not in SIZES or not patch.isdigit() or int(patch) < 1:
        raise ValueError(
            f"model {model!r}: use DiT-SIZE/PATCH with a size of {', '.join(SIZES)}, e.g. {PUBLISHED_MODEL}"
        )
    return size, int(patch)


def table(model: str) -> list[dict[str, Any]]:
    """Every method with its defaults on every data set; the variants that some have, on one; then every published row
    where `model` is the papers'. A row that cannot be counted without memory says so under `uncounted`."""
    from finefit.methods import names

    sources.require_project()
    rows = [
        {"data": data, **counted(model, method, {}, *sizes(data)).row()} for data in data_sets() for method in names()
    ]
    for method in names():
        rows += variants(model, method)
    if model == PUBLISHED_MODEL:
        with open(PUBLISHED, newline="", encoding="utf-8") as file:
            rows += [compared(published) for published in csv.DictReader(file)]
    return rows


def variants(model: str, method: str) -> list[dict[str, Any]]:
    """The variants that a method has, on `VARIANTS_ON`."""
    from finefit.methods import find

    rows = []
    for name, settings in getattr(find(method), "variants", dict)().items():
        row = {"data": VARIANTS_ON, "method": f"{method} {name}", "settings": settings}
        try:
            rows.append(counted(model, method, settings, *sizes(VARIANTS_ON)).row() | row)
        except ValueError as error:
            rows.append(row | {"uncounted": str(error)})
    return rows


def data_sets() -> list[str]:
    """Names of the published data sets."""
    return [name for name in datasets.names() if datasets.find(name).PUBLISHED]


def sizes(data: str) -> tuple[int, int]:
    """Classes and superclasses of a published data set; one superclass where it has none of its own."""
    published = datasets.find(data).PUBLISHED
    return published.classes, published.superclasses or 1


def as_text(rows: list[dict[str, Any]]) -> str:
    """The table for a terminal: methods by data set, then the papers' rows beside ours."""
    import pandas as pd

    table = pd.DataFrame([row for row in rows if "uncounted" not in row])
    uncounted = "".join(f"\n{row['method']}: not counted without memory" for row in rows if "uncounted" in row)
    table["share"] = table["share"].map("{:.4f} %".format)
    table["delta"] = table["delta_bytes"].map(lambda size: f"{size / 1e6:,.2f} MB")
    for column in ("trained", "total"):
        table[column] = table[column].map("{:,}".format)
    ours = table[["data", "label_rows", "method", "trained", "total", "share", "delta"]]
    if "printed" not in table:
        return ours.to_string(index=False) + uncounted
    papers = table.dropna(subset="printed")
    beside = papers[["paper", "row", "printed", "unit", "trained", "share", "agrees"]]
    return f"{ours.drop(papers.index).to_string(index=False)}{uncounted}\n\n{beside.to_string(index=False)}"


def compared(published: dict[str, str]) -> dict[str, Any]:
    """Our count for a row of the published table, with how its printed digits agree."""
    count = counted(PUBLISHED_MODEL, published["method"], json.loads(published["settings"]), *sizes(published["data"]))
    values = {
        "millions": {"parameters": Decimal(count.trained) / 10**6},
        "percent": {
            "of all": Decimal(count.share),
            "of all but positions": Decimal(count.share_without_positions),
        },
    }[published["unit"]]
    found = {convention: agreement(value, published["printed"]) for convention, value in values.items()}
    agreeing = [f"{how}, {convention}" for convention, how in found.items() if how]
    extra = {key: published[key] for key in ("paper", "row", "unit", "printed", "source")}
    return {"data": published["data"], **count.row()} | extra | {"agrees": agreeing[0] if agreeing else "no"}


def agreement(value: Decimal, printed: str) -> str:
    """How `value` becomes the `printed` digits: "rounded", "truncated", or "" if in neither way."""
    digits = Decimal(printed)
    if value.quantize(digits) == digits:
        return "rounded"
    return "truncated" if value.quantize(digits, ROUND_DOWN) == digits else ""
