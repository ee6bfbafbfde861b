"""LoRA (Hu et al. 2021) through the peft library: low-rank updates of every attention's fused qkv, and the class table.

Rank 8 and 16 on qkv give the counts of DiffFit's Table 1. Its scaling is not published; here the update is B A x as it
stands (alpha equal to the rank).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from finefit.methods import MethodSettings, freeze_all_but, norms
from finefit.models.shapes import CLASS_TABLE

if TYPE_CHECKING:
    from finefit.models.dit import DiT


@dataclass(frozen=True)
class Settings(MethodSettings):
    """LoRA's own setting: the `rank` of the updates."""

    rank: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rank < 1:
            raise ValueError(f"rank is {self.rank}: use a whole number of at least 1 (published: 8 and 16)")


def apply(model: DiT, settings: Settings) -> set[str]:
    """Add A (random) and B (zero) to every qkv; train them with the class table (and norms, where there are any)."""
    from finefit.jobs.torchvision_shim import importable_torchvision

    importable_torchvision()  # peft imports it on the way
    from peft import LoraConfig, inject_adapter_in_model

    inject_adapter_in_model(LoraConfig(r=settings.rank, lora_alpha=settings.rank, target_modules=["qkv"]), model)
    updates = {name for name, _ in model.named_parameters() if ".lora_" in name}
    return freeze_all_but(model, updates | norms(model) | {CLASS_TABLE})
