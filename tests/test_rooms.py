"""The direction of imports: a room's docstring names the rooms that it may import, and none imports in a circle."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src/finefit"
ROOMS = sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))


def allowed(room: str) -> set[str]:
    """The rooms that the last line of a room's docstring names."""
    docstring = ast.get_docstring(ast.parse((SOURCE / room / "__init__.py").read_text(encoding="utf-8")))
    names = re.search(r"^May import: (.+)\.$", docstring, re.MULTILINE)[1]
    return set(ROOMS) - {room} if names == "every other room" else set(names.split(", ")) - {"none"}


def imported(room: str) -> dict[str, str]:
    """The rooms that a room's modules import anywhere in them, for types too, and a module that does."""
    found = {}
    for file in (SOURCE / room).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "finefit":
                below = node.module.split(".")[1:2] or [alias.name for alias in node.names]
                found |= {name: file.name for name in below if name != room}
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_its_docstring_allows(room):
    too_much = {name: file for name, file in imported(room).items() if name not in allowed(room)}
    assert not too_much, f"{room} imports {too_much}: turn the import round, or move the wall (its docstring)"


def test_no_room_is_above_itself():
    # raises CycleError where there is a circle
    list(TopologicalSorter({room: allowed(room) for room in ROOMS}).static_order())


def test_every_module_is_in_a_room():
    assert sorted(path.name for path in SOURCE.glob("*.py")) == ["__init__.py", "__main__.py", "cli.py"]
