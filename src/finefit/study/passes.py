"""How often sampling asks its networks, by a "sample" job's settings."""

from __future__ import annotations

from typing import Any

from finefit import processes

ONE_PASS = {"none", "learned"}  # kinds of guidance that ask the network once a step


def evaluations(settings: dict[str, Any]) -> int:
    """How often a sampler evaluates the network, by `sampler`, `steps` and, where it is not 1, `evaluate_every`."""
    each = processes.of(settings).SAMPLERS[settings["sampler"]].evaluations
    return each * -(-settings["steps"] // settings.get("evaluate_every", 1))


def passes(settings: dict[str, Any]) -> int:
    """Forward passes of a picture at each: two where guidance asks for a reference as well."""
    return 1 if settings["guidance"] in ONE_PASS else 2
