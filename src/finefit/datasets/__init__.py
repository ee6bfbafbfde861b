"""Data sets: one file each, found by its name.

A data set's module defines `Settings` (a frozen dataclass) and

- `sources(settings)`: the rows of data/sources.csv that it needs;
- `index(settings, root)`: a table with a row per picture: `key`, `class_name`, `split`;
- `taxonomy(settings, root)`: a table with a row per class, in class-id order: `class_name`, `superclass`, lineage;
- `read(rows, resolution, settings, root)`: those pictures, uint8 `[n, resolution, resolution, 3]`.

and, where no checksum identifies its pictures, `listing(settings)`, a digest that does. `root` is the folder of the
unpacked sources, None for a data set that needs none.
"""

from __future__ import annotations

from types import ModuleType

from finefit import modules


def names() -> list[str]:
    """Names of all data sets, in alphabetical order."""
    return modules.names(__name__)


def find(name: str) -> ModuleType:
    """The module of a data set; ValueError if there is none of that name."""
    return modules.find(__name__, name, "data set")
