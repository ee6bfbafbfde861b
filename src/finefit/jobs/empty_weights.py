"""Networks of names and shapes alone: to be counted, compared, or given weights that exist already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

DRAWS = {nn.init.normal_, nn.init.trunc_normal_, nn.init.uniform_, Tensor.normal_, Tensor.uniform_}


class WithoutDrawing(TorchFunctionMode):
    """No initial values for tensors without memory: torch would load its whole compiler to draw nothing."""

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if function in DRAWS and (tensor := args[0] if args else kwargs["tensor"]).is_meta:
            return tensor
        return function(*args, **kwargs)


@contextmanager
def empty_weights() -> Iterator[None]:
    """What is built inside has shapes and no memory (torch's device "meta"), and draws no random numbers."""
    with torch.device("meta"), WithoutDrawing():
        yield
