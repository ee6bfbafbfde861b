"""What an interrupted training kept, read again; torch is imported only then."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from finefit.jobs import borders


def read(file: Path, like: dict[str, Any]) -> dict[str, Any] | None:
    """The state that `torch.save` wrote, on the CPU; None without one.

    One that was cut off, as by a power failure, or that holds something else, is put aside and told: training starts
    anew.

    Args:
        like: a state of the same training, whose names and shapes it must have; tensors that such a state has only
            from its first step on, as an optimizer's, are not asked for.
    """
    import torch

    if not file.exists():
        return None
    try:
        with borders.reading(file, "cut off"):
            state = torch.load(file, weights_only=True, map_location="cpu")
        if other := difference(state, like):
            raise ValueError(f"{file}: of another training ({other})")
    except ValueError as error:
        aside = file.with_suffix(".damaged")
        file.replace(aside)
        print(f"{error}; put aside as {aside.name}, from the start", file=sys.stderr)
        return None
    return state


def outline(state: dict[str, Any]) -> dict[str, Any]:
    """What of a state has to be in any other of the same training: of an optimizer's groups only which parameters."""
    found = {name: outline(value) if isinstance(value, dict) else value for name, value in state.items()}
    if "param_groups" in found:
        found["param_groups"] = [{"params": group["params"]} for group in found["param_groups"]]
    return found


def difference(state: Any, like: Any, place: str = "state") -> str:
    """What a state has not or has otherwise than one that it should be like, in a few words; empty where it fits."""
    import torch

    if isinstance(like, torch.Tensor):
        if not isinstance(state, torch.Tensor) or state.shape != like.shape:
            return f"{place} is {shown(state)} in place of {shown(like)}"
        return ""
    if isinstance(like, dict):
        if not isinstance(state, dict):
            return f"{place} is {shown(state)}"
        if missing := [name for name in like if name not in state]:
            return f"{place} has no {missing[0]}"
        return next(filter(None, (difference(state[name], like[name], f"{place}.{name}") for name in like)), "")
    if isinstance(like, list):
        if not isinstance(state, list) or (like and len(state) != len(like)):
            return f"{place} is {shown(state)}"
        return next(filter(None, (difference(*pair, place) for pair in zip(state, like, strict=False))), "")
    return "" if type(state) is type(like) else f"{place} is {shown(state)}"


def shown(value: Any) -> str:
    """A value in a few words: a tensor by its shape, anything else by its type."""
    return str(list(value.shape)) if hasattr(value, "shape") else f"of type {type(value).__name__}"
