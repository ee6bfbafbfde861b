"""VPT-Deep (Jia et al. 2022): learned tokens before the picture's in every block, and the class table.

No whole number of tokens gives the 2.81 M of DiffFit's Table 1: 83 train 2.795 M, 84 train 2.827 M.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finefit.methods import MethodSettings, freeze_all_but, norms
from finefit.models.shapes import CLASS_TABLE

if TYPE_CHECKING:
    from finefit.models.dit import DiT

STARTS_AT_BASE = False  # its random tokens take part in attention from the first step


@dataclass(frozen=True)
class Settings(MethodSettings):
    """VPT's own setting: learned `tokens` per block."""

    tokens: int = 83

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tokens < 1:
            raise ValueError(f"tokens is {self.tokens}: use a whole number of at least 1")


def apply(model: DiT, settings: Settings) -> set[str]:
    """Add a prompt to every block; train them with the class table (and norms, where there are any)."""
    import torch

    fan = model.shape.latent_channels * model.shape.patch**2 + model.shape.width
    bound = math.sqrt(6 / fan)  # Xavier's for the patch embedding, as VPT draws them
    for block in model.blocks:
        prompt = torch.empty(settings.tokens, model.shape.width).uniform_(-bound, bound)
        block.register_parameter("prompt", torch.nn.Parameter(prompt))
    prompts = {name for name, _ in model.named_parameters() if name.endswith(".prompt")}
    return freeze_all_but(model, prompts | norms(model) | {CLASS_TABLE})
