"""A taxonomy that the user gives: a CSV file with a row per class, `class_name`, `superclass` and further ranks."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def ranks(path: Path) -> tuple[str, ...]:
    """Its columns that may serve as superclass, in their order.

    Raises:
        ValueError: it is missing, no CSV file, or has no column `class_name`, or no other.
    """
    columns = list(_table(path).columns)
    if "class_name" not in columns or len(columns) < 2:
        raise ValueError(
            f"{path}: has the columns {', '.join(columns)}; needs class_name and at least one rank, as superclass"
        )
    return tuple(column for column in columns if column != "class_name")


def superclasses(path: Path, rank: str, class_names: pd.Series) -> list[str]:
    """The given rank of every class, in the order asked.

    Raises:
        ValueError: classes are missing from the file, stand in it twice, or have no value; all are listed.
    """
    table = _table(path).set_index("class_name")
    twice = sorted(set(table.index[table.index.duplicated()]))
    missing = [name for name in class_names if name not in table.index or not table.loc[[name], rank].iloc[0].strip()]
    faults = [f"appears twice: {name}" for name in twice] + [f"has no {rank} for: {name}" for name in missing]
    if faults:
        raise ValueError("\n".join(f"{path}: {fault}" for fault in faults))
    return table.loc[class_names, rank].tolist()


def _table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{path}: not readable as a taxonomy in CSV ({error})") from None
