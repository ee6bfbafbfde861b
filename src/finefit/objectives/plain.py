"""The papers' own objective: the process's loss on the target's pictures, at times that are all as likely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from finefit.objectives import Material, Networks, ObjectiveSettings

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True)
class Settings(ObjectiveSettings):
    """No settings."""


class Objective:
    """What a training step minimises. Others derive from it."""

    def __init__(self, settings: ObjectiveSettings, material: Material):
        self.settings, self.material, self.process = settings, material, material.process

    def vary(self, columns: dict[str, Tensor], chance: Generator, step: int) -> dict[str, Tensor]:
        """What a batch is to be, as columns `[n]` with a number per picture.

        Args:
            columns: `rows` of the class table and times `t`, as the papers draw them.
            chance: the step's own, on the CPU; the only source of chance.
            step: counted from 0.
        """
        return columns

    def losses(self, part: dict[str, Tensor], networks: Networks) -> Tensor:
        """The loss of every picture, `[n]`.

        Args:
            part: `latents` and `noise` `[n, c, h, w]`, `places` (labels, as the networks take them) and what `vary`
                gave but for `rows`, all on the device.
        """
        noised = self.process.noised(part["latents"], part["t"], part["noise"])
        output = networks.tuned(noised, part["t"], part["places"])
        target = self.process.target(part["latents"], part["noise"])
        return self.process.loss(output.float(), part["latents"], noised, part["t"], target)
