"""Values of several measures: each a finite number, or the reason why these pictures give none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from finefit.jobs.finite import require_finite
from finefit.metrics import TooFew


def measured(measures: Mapping[str, Callable[[], float]]) -> dict[str, Any]:
    """Take measures by name. Those that lack pictures are None, and `absent` says what each lacks.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    values: dict[str, Any] = {}
    absent: dict[str, str] = {}
    for name, measure in measures.items():
        try:
            values[name] = measure()
        except TooFew as reason:
            values[name], absent[name] = None, str(reason)
    require_finite("scores", {name: value for name, value in values.items() if value is not None})
    return values | ({"absent": absent} if absent else {})
