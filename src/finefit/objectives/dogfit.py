"""DogFit (Bahram et al., AAAI 2026, arXiv 2508.05685): Domain Guidance is learned, and sampling takes one pass.

The scale w of guidance is an input of the network, drawn anew for every picture. From a step on, what the network is
to predict is no longer its process's target (the noise, as published) alone but

    target + (w - 1) (averaged(x, y, 1) - base(x, no class)),    where t is below a share of the schedule,

with the network's own running average, and the untouched base. Before that step w is 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from finefit.objectives import Material, Networks, ObjectiveSettings, plain

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from finefit.models.dit import DiT


@dataclass(frozen=True)
class Settings(ObjectiveSettings):
    """Its numbers, those of the authors' code but for `below`, whose value could not be read.

    Attributes:
        start: share of the training's steps after which targets are guided.
        below: share of the schedule that is guided, from no noise on.
        usual_scale: below it lie 95 % of the scales that are drawn, which are 1 and an exponential number more.
        guided_channels: of the latents, the first so many.
    """

    start: float = 0.5
    below: float = 1.0
    usual_scale: float = 2.0
    guided_channels: int = 3

    NEEDS_BASE: ClassVar[bool] = True
    GUIDANCE: ClassVar[tuple[str, ...]] = ("learned",)

    def __post_init__(self) -> None:
        if not 0 <= self.start < 1 or not 0 < self.below <= 1:
            raise ValueError("start and below are shares: of training (0 to below 1) and schedule (above 0, to 1)")
        if self.usual_scale <= 1 or self.guided_channels < 1:
            raise ValueError("usual_scale: use a number above 1 (published: 2); guided_channels: at least 1")

    @property
    def passes(self) -> float:
        """Average and base are asked once the targets are guided."""
        return 2 * (1 - self.start)


class Objective(plain.Objective):
    """The guided target."""

    settings: Settings

    def __init__(self, settings: Settings, material: Material):
        super().__init__(settings, material)
        self.first = math.ceil(settings.start * material.steps)

    def vary(self, columns: dict[str, Tensor], chance: Generator, step: int) -> dict[str, Tensor]:
        """Adds each picture's `scale` once targets are guided."""
        import torch

        if step < self.first:
            return columns
        rate = math.log(20) / (self.settings.usual_scale - 1)  # one in twenty lies above
        uniform = torch.rand(len(columns["t"]), generator=chance)
        return columns | {"scale": 1 - torch.log1p(-uniform) / rate}

    def losses(self, part: dict[str, Tensor], networks: Networks) -> Tensor:
        """The process's loss with the guided target in the place of its own."""
        import torch

        if "scale" not in part:
            return super().losses(part, networks)
        noised, t = self.process.noised(part["latents"], part["t"], part["noise"]), part["t"]
        with torch.no_grad():
            own = networks.averaged(noised, t, part["places"], torch.ones_like(part["scale"]))
            none = networks.base(noised, t, torch.zeros(len(t), dtype=torch.int64, device=t.device))
            plain_target = self.process.target(part["latents"], part["noise"])
            further = (part["scale"] - 1) * self.process.least_noisy(t, self.settings.below)
            target = guided_target(plain_target, own, none, further, self.settings.guided_channels)
        output = networks.tuned(noised, t, part["places"], part["scale"])
        return self.process.loss(output.float(), part["latents"], noised, t, target)


def guided_target(target: Tensor, own: Tensor, none: Tensor, further: Tensor, channels: int) -> Tensor:
    """The module's formula: what the network is to predict, `[n, c, h, w]`.

    Args:
        target: the process's own.
        own, none: outputs of the averaged network and of the base.
        further: w - 1, or 0 where nothing is guided, `[n]`.
        channels: that are guided, the first so many.
    """
    guided = target.clone()
    guided[:, :channels] += further.view(-1, 1, 1, 1) * (own[:, :channels] - none[:, :channels]).float()
    return guided


def add(model: DiT) -> set[str]:
    """Let the network take a scale."""
    from finefit.models.embedders import ScaleEmbedder

    model.y_embedder.scale = ScaleEmbedder(model.shape.width)
    return {name for name, _ in model.named_parameters() if name.startswith("y_embedder.scale.")}
