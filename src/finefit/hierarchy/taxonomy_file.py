"""A taxonomy that the user gives: a CSV file with a row per class, `class_name`, `superclass` and further ranks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from finefit.data import names, tables

CLASS = "class_name"


def ranks(path: Path) -> tuple[str, ...]:
    """Its columns that may serve as superclass, in their order.

    Raises:
        ValueError: it is missing, no CSV file, or has no column `class_name`, or no other.
    """
    columns = tables.read(path, (CLASS,)).columns
    if len(columns) < 2:
        raise ValueError(f"{path}: has the column {CLASS} alone; needs at least one rank beside it, as superclass")
    return tuple(column for column in columns if column != CLASS)


def superclasses(path: Path, rank: str, class_names: Iterable[str]) -> list[str]:
    """The given rank of every class, in the order asked; a class is found whatever its spelling's case and form.

    Raises:
        ValueError: classes are missing from the file, stand in it twice, or have no value, or two values differ only in
            their spelling; all are listed.
    """
    table = tables.read(path, (CLASS, rank))
    spellings = Counter(names.canonical(row[CLASS]) for row in table.rows)
    found = {names.canonical(row[CLASS]): row[rank] for row in table.rows}
    twice = [
        f"{path}:{line}: appears twice: {row[CLASS]}"
        for line, row in zip(table.lines, table.rows, strict=True)
        if spellings[names.canonical(row[CLASS])] > 1
    ]
    wanted = list(class_names)
    missing = [name for name in wanted if not found.get(names.canonical(name))]
    faults = twice + [f"{path}: has no {rank} for: {name}" for name in missing]
    faults += [f"{path}: {rank}: {names.told(group)}" for group in names.alike(row[rank] for row in table.rows)]
    if faults:
        raise ValueError("\n".join(faults))
    return [found[names.canonical(name)] for name in wanted]
