"""Settings built from what a study file says, and what is wrong with them in one line."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from finefit.data.names import nearest


def build(settings: type, given: dict[str, Any]) -> Any:
    """Build a dataclass of settings from a mapping, refusing keys it does not have."""
    known = [field.name for field in fields(settings)]
    for key in given:
        if key not in known:
            raise ValueError(f"{one_line(key)}: unknown key{nearest(key, known)}; known are {', '.join(known)}")
    try:
        built = adapter(settings).validate_python(given)
    except ValidationError as error:
        raise ValueError(told(error)) from None
    for name, value in vars(built).items():
        numbers = value.values() if isinstance(value, dict) else [value]
        if any(isinstance(one, float) and not math.isfinite(one) for one in numbers):
            raise ValueError(f"{name}: {value} is not finite; use a number")
    return built


def told(error: ValidationError) -> str:
    """What pydantic found, in one line."""
    texts = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}".strip(": ") for e in error.errors(include_url=False)]
    return "; ".join(text.replace("Value error, ", "") for text in texts)


@cache
def adapter(settings: type) -> TypeAdapter:
    """What validates a dataclass of settings; made once for each, since making it takes milliseconds."""
    return TypeAdapter(settings)


def one_line(key: str) -> str:
    """A key as it is, or quoted where it would not stay on one line."""
    return key if key.isprintable() else repr(key)


def faults_of(where: str, check: Callable[[], object]) -> list[str]:
    """The fault that `check()` raises, as a list of none or one."""
    try:
        check()
    except ValueError as error:
        return [f"{where}: {error}"]
    return []


def repeated(values: list) -> list:
    """Values that appear more than once."""
    return sorted({value for value in values if values.count(value) > 1})
