"""Sweeps: one entry of a study's methods that stands for several, one for each value of the settings it lists.

`difffit: {sweep: {lr: [1.0e-4, 1.0e-3]}}` stands for `difffit-lr-0.0001` and `difffit-lr-0.001`; with two settings
swept, for every pair. The entries are ordinary ones, so a value written out by hand is the same run.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Any


def expand(methods: dict[str, Any]) -> dict[str, Any]:
    """Methods with every sweep written out.

    Raises:
        ValueError: a sweep is not a mapping of settings to lists, or gives a name that another entry has.
    """
    expanded: dict[str, Any] = {}
    for name, settings in methods.items():
        for key, entry in entries(name, settings):
            if key in expanded:
                raise ValueError(f"{name}.sweep: gives {key!r} twice; rename an entry or drop a repeated value")
            expanded[key] = entry
    return expanded


def entries(name: str, settings: Any) -> list[tuple[str, Any]]:
    """The entries that one stands for."""
    if not isinstance(name, str) or not isinstance(settings, dict) or "sweep" not in settings:
        return [(name, settings)]
    sweep = settings["sweep"]
    lists = isinstance(sweep, dict) and sweep and all(isinstance(v, list) and v for v in sweep.values())
    if not lists or set(sweep) & set(settings):
        raise ValueError(f"{name}.sweep: give settings and their values, not set elsewhere: {{lr: [1e-4, 1e-3]}}")
    common = {"method": name} | {key: value for key, value in settings.items() if key != "sweep"}
    chosen = [dict(zip(sweep, values, strict=True)) for values in product(*sweep.values())]
    return [("-".join([name, *(f"{key}-{text(value)}" for key, value in one.items())]), common | one) for one in chosen]


def text(value: Any) -> str:
    """A value as part of an entry's name: numbers in one spelling, whatever the file's."""
    try:
        return f"{float(value):g}"
    except (TypeError, ValueError):
        return re.sub(r"[^a-z0-9.]+", "-", str(value).lower()).strip("-")
