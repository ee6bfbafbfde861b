"""Codecs between pictures and latents; one file per codec, found by its name, and a row of `CODECS` for planning.

A codec module offers `load(weights, *beside)`, which gives a `Codec`, and `as_diffusers(codec)`, the same decoder as a
module of diffusers; where its class is not diffusers' own, the file that defines it stands alone and is copied along.
One whose weights are not shipped also offers `stand_in(file, row)`, which writes random ones for one of its rows. The
constants that scale latents to unit variance live inside the codec and nowhere else.

May import: jobs, data, datasets, metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, Self

from finefit.data import sources

if TYPE_CHECKING:
    from diffusers import ModelMixin
    from torch import Tensor


@dataclass(frozen=True)
class Facts:
    """Side of a latent pixel, channels, values kept of each (mean, deviation), operations per pixel of a picture.

    `beside` names the rows of data/sources.csv that its weights consist of beside the one that a study names.
    """

    factor: int
    channels: int
    values: int
    encode: float = 0.0
    decode: float = 0.0
    beside: tuple[str, ...] = ()


CODECS = {
    "patch_pca": Facts(2, 4, 1),
    "sd_vae": Facts(8, 4, 2, encode=272.7e9 / 256**2, decode=622.2e9 / 256**2),  # counted with torch's FlopCounterMode
    "taef2": Facts(8, 32, 1, encode=470_208, decode=542_784, beside=("taef2-decoder",)),  # counted likewise
}


class Codec(Protocol):
    """What every codec does."""

    def to(self, device: str) -> Self:
        """The codec on a device."""

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """uint8 `[n, h, w, 3]` to the posterior's mean and deviation (None where zero), `[n, c, h / f, w / f]`."""

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to uint8 pictures `[n, h, w, 3]`."""


def load(settings: dict) -> Codec:
    """The codec that a job's settings name, with its verified weights (`beside`: further rows of them)."""
    rows = [settings["weights"], *settings.get("beside", [])]
    return module_of(settings).load(*(sources.fetch(row["name"]) for row in rows))


def as_diffusers(settings: dict) -> ModelMixin:
    """That codec's decoder as a module of diffusers, which gives pixels in [-1, 1]."""
    return module_of(settings).as_diffusers(load(settings))


def module_of(settings: dict) -> ModuleType:
    """The module of the codec that a job's settings name."""
    return import_module(f"finefit.codecs.{settings['name']}")
