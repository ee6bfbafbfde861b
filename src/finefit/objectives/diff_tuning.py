"""Diff-Tuning (Zhong et al. 2024, arXiv 2406.00773): learn the target late in the schedule, keep the source early.

The target's pictures are drawn at times as likely as they are noisy; a share of every batch is pictures that the base
itself drew beforehand, with no class asked for, at times as unlikely as they are noisy. Theirs stand in the place of as
many of the target's, so that a step costs what it costs others; their loss counts less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from finefit.objectives import Material, Networks, ObjectiveSettings, plain

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True)
class Settings(ObjectiveSettings):
    """Its numbers; the share and the weight are those of the authors' code.

    Attributes:
        source_share: of a batch, how much is the base's own pictures.
        source_weight: of their loss.
        pictures: how many of them are drawn, once for all runs on a base; how many they drew could not be read.
        sampling_steps: of the process's sampler for few steps, for each.
    """

    source_share: float = 0.2
    source_weight: float = 0.1
    pictures: int = 5000
    sampling_steps: int = 50

    NEEDS_NULL: ClassVar[bool] = True
    NEEDS_BASE: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.source_share < 1:
            raise ValueError(f"source_share is {self.source_share}: use a share from 0 to below 1 (published: 0.2)")
        if self.source_weight < 0:
            raise ValueError(f"source_weight is {self.source_weight}: use a number of at least 0 (published: 0.1)")
        if self.pictures < 1 or not 1 <= self.sampling_steps < 1000:
            raise ValueError("pictures and sampling_steps: use whole numbers of at least 1, and fewer than 1,000 steps")

    @property
    def source(self) -> dict[str, int]:
        """Settings of the job that draws the base's own pictures."""
        return {"pictures": self.pictures, "steps": self.sampling_steps}

    def rehearsed(self, pictures: int) -> Settings:
        """The same, with at most so many pictures from the base, drawn in two steps."""
        return replace(self, pictures=min(pictures, self.pictures), sampling_steps=2)


class Objective(plain.Objective):
    """The two losses in one batch."""

    settings: Settings

    def __init__(self, settings: Settings, material: Material):
        super().__init__(settings, material)
        if material.source is None or material.null_row is None:
            raise ValueError("objective diff_tuning: needs the base's own pictures, and a null row for them")
        self.source, self.null_row = material.source, material.null_row

    def vary(self, columns: dict[str, Tensor], chance: Generator, step: int) -> dict[str, Tensor]:
        """The last pictures of a batch become the base's own: `source` says which, -1 for the target's."""
        import torch

        n = len(columns["rows"])
        own = torch.arange(n) >= n - round(self.settings.source_share * n)
        uniform = torch.rand(n, generator=chance, dtype=torch.float64)
        late = self.process.noisier(uniform)
        which = torch.randint(len(self.source), (n,), generator=chance)
        return {
            "rows": torch.where(own, self.null_row, columns["rows"]),
            "t": torch.where(own, self.process.mirrored(late), late),
            "source": torch.where(own, which, -1),
            "weight": torch.where(own, self.settings.source_weight, 1.0),
        }

    def losses(self, part: dict[str, Tensor], networks: Networks) -> Tensor:
        """The process's loss, on the base's own pictures where a row is one, times its weight."""
        import torch

        theirs = (part["source"] >= 0).view(-1, 1, 1, 1)
        latents = torch.where(theirs, self.source[part["source"].clamp(min=0)], part["latents"])
        return part["weight"] * super().losses(part | {"latents": latents}, networks)
