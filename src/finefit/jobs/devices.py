"""What a process computes on, and in which precision."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import nn


def device_here() -> str:
    """The GPU that this process was given, or the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@lru_cache(maxsize=1)
def cpu_has_bfloat16_matrices() -> bool:
    """Whether this CPU multiplies bfloat16 matrices in hardware (AMX, AVX512_BF16); else float32 is faster."""
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def uses_bfloat16(precision: str, device: str) -> bool:
    """Whether the network runs under bfloat16 autocast: as set, or where the hardware gains by it ("auto")."""
    return precision == "bfloat16" or (precision == "auto" and (device != "cpu" or cpu_has_bfloat16_matrices()))


def store_frozen_as_bfloat16(model: nn.Module) -> None:
    """Round frozen matrices once to what autocast rounds them to at every step: half the memory, the same numbers.

    Layers whose names begin as one of the model's `EXACT` are left as they are: autocast does not round them.
    """
    exact = getattr(model, "EXACT", ())
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d) and not module.weight.requires_grad and not name.startswith(exact):
            module.weight.data = module.weight.data.bfloat16()
