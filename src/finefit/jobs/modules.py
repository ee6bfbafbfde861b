"""Finding a package's modules by name: how methods and data sets are added by adding a file."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def names(package: str) -> list[str]:
    """Names of a package's modules, in alphabetical order."""
    return sorted(module.name for module in iter_modules(import_module(package).__path__))


@cache
def find(package: str, name: str, what: str) -> ModuleType:
    """The module `name` of a package.

    Raises:
        ValueError: there is none of that name; the message calls it `what`.
    """
    if name not in names(package):
        close = [f" (did you mean {one}?)" for one in difflib.get_close_matches(name, names(package), n=1)]
        raise ValueError(f"unknown {what} {name!r}{''.join(close)}: use one of {', '.join(names(package))}")
    return import_module(f"{package}.{name}")
