"""Deltas of whole pipelines: one safetensors file with what methods trained in any of its parts, and nothing else.

`parts` is a mapping from names to networks, or a pipeline's `components`, of which only networks count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from finefit.jobs import tensors as files
from finefit.unets import methods


def changed(parts: Mapping[str, object]) -> dict[str, nn.Module]:
    """The networks that have a method."""
    return {name: part for name, part in parts.items() if isinstance(part, nn.Module) and hasattr(part, "finefit")}


def save(file: Path, parts: Mapping[str, object]) -> None:
    """Write the trained parameters of every part that has a method; visible only once it is whole.

    Raises:
        ValueError: no part has a method.
    """
    having = changed(parts)
    if not having:
        raise ValueError(f"{file}: no part has a method, so there is nothing to save")
    keys = ("method", "settings", "sketch")
    methods_by_part = {name: {key: getattr(part.finefit, key) for key in keys} for name, part in having.items()}
    tensors = {
        f"{part}.{name}": value for part, model in having.items() for name, value in methods.trained(model).items()
    }
    partial = file.with_name(f"{file.name}.partial")
    files.save(tensors, partial, {"finefit": json.dumps(methods_by_part)})
    partial.replace(file)


@torch.no_grad()
def load(file: Path, parts: Mapping[str, object]) -> None:
    """Put a delta on a live pipeline's parts in place of any other: `unload` gives the base back, bit for bit.

    Raises:
        ValueError: the file is no delta, or belongs to other parts or another base; the pipeline then has no delta.
    """
    with files.opened(file, what="no delta of a pipeline", remedy="`deltas.save` writes them") as opened:
        methods_by_part = json.loads((opened.metadata() or {})["finefit"])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    unload(parts)
    for part, entry in methods_by_part.items():
        model = parts.get(part)
        if not isinstance(model, nn.Module):
            raise ValueError(f"{file}: {part}: the pipeline has no such part; load it on one like that it was made on")
        if not same_base(entry["sketch"], methods.sketch(model)):
            raise ValueError(f"{file}: {part}: made on another base; a delta fits its own only")
        done = methods.attach(model, entry["method"], **entry["settings"])
        own = methods.trained(model)
        own_tensors = {name.removeprefix(f"{part}."): v for name, v in tensors.items() if name.startswith(f"{part}.")}
        if odd := sorted(own.keys() ^ own_tensors.keys()):
            unload(parts)
            raise ValueError(f"{file}: {part}.{odd[0]}: is not what {entry['method']} trains on this network")
        kept = {parameter: parameter.detach().clone() for parameter in own.values()}
        done.undo.append(lambda kept=kept: [parameter.data.copy_(value) for parameter, value in kept.items()])
        for name, parameter in own.items():
            parameter.copy_(own_tensors[name])


def unload(parts: Mapping[str, object]) -> None:
    """Take all methods off a pipeline's parts."""
    for model in changed(parts).values():
        methods.detach(model)


@torch.no_grad()
def merge(parts: Mapping[str, object]) -> None:
    """Turn a pipeline with a delta into a plain one, with the base's layers, that computes the same up to rounding."""
    for model in changed(parts).values():
        methods.fold(model)
        folded = {parameter: parameter.detach().clone() for parameter in model.parameters()}
        methods.detach(model)
        for parameter in model.parameters():
            parameter.copy_(folded[parameter])


def same_base(one: list[float], other: list[float]) -> bool:
    """Whether two sketches are of the same weights, in whatever precision."""
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=0.01, atol=1e-4))
