"""How often sampling asks its networks, by a "sample" job's settings."""

from __future__ import annotations

from typing import Any

ONE_PASS = {"none", "learned"}  # kinds of guidance that ask the network once a step


def evaluations(settings: dict[str, Any]) -> int:
    """Steps of a sampler at which the network is evaluated, by `steps` and, where it is not 1, `evaluate_every`."""
    return -(-settings["steps"] // settings.get("evaluate_every", 1))


def passes(settings: dict[str, Any]) -> int:
    """Forward passes of a picture at such a step: two where guidance asks for a reference as well."""
    return 1 if settings["guidance"] in ONE_PASS else 2
