"""Reading study files: each whole or not at all, with all its faults listed at once by line and key."""

from __future__ import annotations

import copy
from functools import reduce
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from finefit.study.building import one_line
from finefit.study.config import Study


def load(path: Path) -> Study:
    """Read a study file.

    Raises:
        ValueError: the file is missing, is no YAML mapping, or has faults; the message lists all of them.
    """
    content, numbers = read(path)
    return parse(content, str(path), numbers)


def read(path: Path) -> tuple[Any, dict[str, int]]:
    """What a study file holds, and the line of every key by its dotted path; nothing of it is validated.

    Raises:
        ValueError: the file is missing, is no YAML, or gives a key twice; the message says the line.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such study file; studies are params.yaml and studies/*.yaml")
    try:
        text = path.read_text(encoding="utf-8-sig")
        return yaml.safe_load(text), line_numbers(yaml.compose(text, yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        tabs = "; indent with blanks, not with tabs" if "\\t" in str(error) else ""
        raise ValueError(f"{path}:{line}: not readable as YAML: {error.problem}{tabs}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not readable as YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ValueError(f"{path}: not readable as YAML: nested too deeply, or within itself") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse(content: Any, origin: str, lines: dict[str, int] | None = None) -> Study:
    """Validate a study's content; `origin` and `lines` (key path to line) say where in messages."""
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        found = []
        for fault in error.errors(include_url=False):
            where, what = one_line(".".join(map(str, fault["loc"]))), fault["msg"].removeprefix("Value error, ")
            found += what.split("\n") if not where else [f"{where}: {what} (found {fault['input']!r:.80})"]
        if isinstance(content, dict) and any(fault["loc"] for fault in error.errors()):
            found += well_formed(content).faults()
        raise ValueError("\n".join(f"{origin}:{line_of(fault, lines or {})}: {fault}" for fault in found)) from None


def well_formed(content: dict[str, Any]) -> Study:
    """A study, not to be run, of those sections of a faulty one that are right by themselves but for unknown keys.

    Kept reports are read so too: their studies may have keys of an earlier version.
    """
    sections = {}
    for name, field in Study.model_fields.items():
        section = TypeAdapter(field.annotation)
        try:
            value = Study.written_out(content[name]) if name == "methods" else content[name]
            sections[name] = section.validate_python(known_keys(section, value))
        except (KeyError, ValueError):
            continue
    return Study.model_construct(**sections)


def known_keys(section: TypeAdapter, value: Any) -> Any:
    """A section's value without the keys that the section does not have."""
    try:
        section.validate_python(value)
    except ValidationError as error:
        value = copy.deepcopy(value)
        for fault in error.errors(include_url=False):
            if fault["type"] == "extra_forbidden":
                *path, last = fault["loc"]
                del reduce(lambda inner, key: inner[key], path, value)[last]
    return value


def line_numbers(node: yaml.Node, prefix: str = "") -> dict[str, int]:
    """Line of every key of a composed YAML mapping, by its dotted path.

    Raises:
        ValueError: a key stands twice in one mapping, of which YAML would silently take the last.
    """
    if not isinstance(node, yaml.MappingNode):
        return {}
    lines = {}
    for key, value in node.value:
        path = f"{prefix}{key.value}"
        if path in lines:
            raise ValueError(f"line {key.start_mark.line + 1}: {path} stands there again, after line {lines[path]}")
        lines |= {path: key.start_mark.line + 1} | line_numbers(value, f"{path}.")
    return lines


def line_of(fault: str, lines: dict[str, int]) -> int:
    """Line of the longest key path that a fault starts with, of a sweep for its entries; 1 where it names none."""
    path = fault.split(":")[0]
    known = [key for key in lines if path == key or path.startswith((f"{key}.", f"{key}-"))]
    return lines[max(known, key=len)] if known else 1
