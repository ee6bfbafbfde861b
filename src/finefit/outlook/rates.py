"""How fast hardware does some work: data/rates.csv, and what a rehearsal measured here.

Each row of the table says whether it was measured. What a rehearsal measured (`MEASURED`), by hardware and shape of the
work, comes before it.
"""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path

from finefit.data import tables

TABLE, MEASURED = Path("data/rates.csv"), Path("data/rates-here.csv")
GPU = "a100"  # what GPU hours are counted on where no rehearsal ran on another


@dataclass(frozen=True)
class Rate:
    """How fast some hardware does some work, with bounds; `basis` is "measured" or "estimated", and `how` says how."""

    hardware: str
    work: str
    unit: str
    rate: float
    low: float
    high: float
    basis: str
    how: str
    shape: str = ""  # of the work, where the rate was measured on just that


@lru_cache(maxsize=1)
def known() -> dict[tuple[str, str, str], Rate]:
    """Both tables by hardware, work and shape; the shape is empty in the one that is part of the project."""
    rows = read(TABLE) + (read(MEASURED) if MEASURED.exists() else [])
    return {(row.hardware, row.work, row.shape): row for row in rows}


def read(file: Path) -> list[Rate]:
    """The rows of one table.

    Raises:
        ValueError: it is damaged, or a rate is not above 0; the message says where.
    """
    columns = [field.name for field in fields(Rate) if field.name != "shape" or file == MEASURED]
    found, rows = tables.read(file, tuple(columns)), []
    for line, row in zip(found.lines, found.rows, strict=True):
        numbers = {key: tables.number(row[key], float, f"{file}:{line}: {key}") for key in ("rate", "low", "high")}
        if not min(numbers.values()) > 0:
            raise ValueError(f"{file}:{line}: rates are numbers above 0; found {numbers}")
        rows.append(Rate(**row | numbers))
    return rows


def gpu() -> str:
    """The GPU that hours are counted on: the one that a rehearsal ran on here last, else `GPU`."""
    measured = [row.hardware for row in known().values() if row.shape and not row.hardware.startswith("cpu")]
    return measured[-1] if measured else GPU


def find(hardware: str, work: str, shape: str = "") -> Rate:
    """The row for some work: as measured on its shape, else of the hardware (`GPU`'s for any GPU), else a CPU's.

    Raises:
        ValueError: the table has none of these.
    """
    rows, kind = known(), hardware if hardware.startswith("cpu") else GPU
    for place in ((hardware, work, shape), (kind, work, ""), ("cpu", work, "")):
        if place in rows:
            return rows[place]
    raise ValueError(f"{TABLE}: no row for hardware 'cpu', work {work!r}; restore it (git checkout {TABLE})")


def keep(rows: list[Rate]) -> None:
    """Write measured rates, each of a shape, in place of those of the same hardware, work and shape."""
    measured = {key: row for key, row in known().items() if row.shape}
    for row in rows:
        key = row.hardware, row.work, row.shape
        measured.pop(key, None)
        measured[key] = row  # the newest last
    partial = MEASURED.with_suffix(".partial")
    with open(partial, "w", newline="", encoding="utf-8") as file:
        written = csv.DictWriter(file, [field.name for field in fields(Rate)])
        written.writeheader()
        for row in measured.values():
            numbers = {name: f"{getattr(row, name):.4g}" for name in ("rate", "low", "high")}
            written.writerow(asdict(row) | numbers)
    partial.replace(MEASURED)
    known.cache_clear()
