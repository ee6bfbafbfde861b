"""Tables in CSV that people write or a spreadsheet rewrote: every cell is text, whatever it looks like."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple


class Table(NamedTuple):
    """A table's columns, its rows by column, and each row's line in the file."""

    columns: list[str]
    rows: list[dict[str, str]]
    lines: list[int]


def read(path: Path, needed: tuple[str, ...]) -> Table:
    """Read a table with a head; blanks at the ends of cells do not count, nor do rows without any content.

    Raises:
        ValueError: the file is missing, not in UTF-8, not separated by commas, or lacks a column of `needed`; or a row
            has not as many cells as the head. The message says where.
    """
    try:
        content = path.read_bytes()
        if content.startswith(b"PK\3\4"):
            raise ValueError(f"{path}: in a spreadsheet's own format; save it as CSV UTF-8")
        text = content.decode("utf-8-sig")  # spreadsheets write a byte-order mark
    except FileNotFoundError:
        raise ValueError(f"{path}: no such table") from None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; give a file that can be read") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not in UTF-8 ({error.reason} at byte {error.start}); save it as CSV UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        cells = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise ValueError(f"{path}:{reader.line_num}: not readable as CSV ({error})") from None
    cells = [(line, row) for line, row in cells if any(row)]
    if not cells:
        raise ValueError(f"{path}: is empty; needs the columns {', '.join(needed)}")
    (line, columns), *rest = cells
    while columns[-1] == "":  # a spreadsheet's empty columns at the right
        columns.pop()
    if missing := [column for column in needed if column not in columns]:
        other = next((mark for mark in (";", "\t") if mark in columns[0]), "")
        found = f"cells are separated by {other!r}; save it with commas" if other else f"has {', '.join(columns)}"
        raise ValueError(f"{path}:{line}: no column {', '.join(missing)}: {found}")
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise ValueError(f"{path}:{line}: {', '.join(map(repr, twice))} heads two columns; remove or rename one")
    for line, row in rest:
        if len(row) < len(columns) or any(row[len(columns) :]):
            raise ValueError(f"{path}:{line}: has {len(row)} cells, but the head {len(columns)}; quote commas in cells")
    rows = [dict(zip(columns, row, strict=False)) for _, row in rest]
    return Table(columns, rows, [line for line, _ in rest])


def number(text: str, kind: type[int] | type[float], where: str) -> int | float:
    """A cell as a number.

    Raises:
        ValueError: it is none, as after a spreadsheet wrote "1,2E+09"; the message begins with `where`.
    """
    try:
        return kind(text)
    except ValueError:
        wanted = "whole number" if kind is int else "number"
        raise ValueError(f"{where}: {text!r} is no {wanted}; write it in digits") from None
