"""The attribute space: a subclass is a point of the unit cube, with one named trait per axis."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from finefit.procedural.colour import ramp, rgb
from finefit.procedural.dice import Dice

# Irrational strides, one per axis: multiples of one spread evenly, and neighbours land far apart.
# The first, for the axis that matters most, is the golden ratio; the others are square roots.
STRIDES = np.mod([(1 + np.sqrt(5)) / 2, *np.sqrt([2, 7, 11, 3, 19, 23])], 1)


@dataclass(frozen=True)
class Trait:
    """One axis of the attribute space, giving meaning to unit numbers `[n]` in `[0, 1)`."""

    name: str

    def values(self, unit: np.ndarray) -> np.ndarray:
        """The true attribute values `[n]`, numbers or words, as the taxonomy lists them."""
        raise NotImplementedError

    def words(self, unit: np.ndarray) -> np.ndarray:
        """The values as words `[n]` for a subclass's name."""
        return self.values(unit)

    def drawn(self, unit: np.ndarray) -> np.ndarray:
        """What a painter needs: words or float32 numbers `[n, 1, 1]`, or colours `[3, n, 1, 1]`."""
        values = self.values(unit)[:, None, None]
        return values if values.dtype.kind == "U" else values.astype(np.float32)

    def seen(self, unit: np.ndarray) -> np.ndarray:
        """The numbers with all that looks alike moved to one place: an option's middle, where there are options."""
        return unit

    def gap(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """How far unit numbers are from each other along this axis."""
        return np.abs(first - second)


@dataclass(frozen=True)
class Colour(Trait):
    """A place 0..1 on a closed ring of named colours."""

    stops: dict[str, str]  # word: "#rrggbb"

    def gap(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        across = np.abs(first - second)
        return np.minimum(across, 1 - across)

    def values(self, unit: np.ndarray) -> np.ndarray:
        return unit

    def words(self, unit: np.ndarray) -> np.ndarray:
        nearest = np.rint(unit * len(self.stops)).astype(int) % len(self.stops)
        return np.array(list(self.stops))[nearest]

    def drawn(self, unit: np.ndarray) -> np.ndarray:
        return ramp(list(self.stops.values()), unit[:, None, None].astype(np.float32), closed=True)


@dataclass(frozen=True)
class Amount(Trait):
    """A proportion between two ends, each with a word."""

    low: float
    high: float
    ends: tuple[str, str] = ("", "")

    def values(self, unit: np.ndarray) -> np.ndarray:
        return self.low + (self.high - self.low) * unit

    def words(self, unit: np.ndarray) -> np.ndarray:
        return np.array(self.ends)[_slot(unit, 2)]


@dataclass(frozen=True)
class Choice(Trait):
    """One of a few words."""

    options: tuple[str, ...]

    def seen(self, unit: np.ndarray) -> np.ndarray:
        return _middle(unit, len(self.options))

    def values(self, unit: np.ndarray) -> np.ndarray:
        return np.array(self.options)[_slot(unit, len(self.options))]


@dataclass(frozen=True)
class Count(Trait):
    """One of a few numbers, each with the word that says it."""

    options: dict[str, int]

    def seen(self, unit: np.ndarray) -> np.ndarray:
        return _middle(unit, len(self.options))

    def values(self, unit: np.ndarray) -> np.ndarray:
        return np.array(list(self.options.values()))[_slot(unit, len(self.options))]

    def words(self, unit: np.ndarray) -> np.ndarray:
        return np.array(list(self.options))[_slot(unit, len(self.options))]


@dataclass(frozen=True)
class Paint(Trait):
    """One of a few named colours."""

    options: dict[str, str]  # word: "#rrggbb"

    def seen(self, unit: np.ndarray) -> np.ndarray:
        return _middle(unit, len(self.options))

    def values(self, unit: np.ndarray) -> np.ndarray:
        return np.array(list(self.options))[_slot(unit, len(self.options))]

    def drawn(self, unit: np.ndarray) -> np.ndarray:
        colours = np.concatenate([rgb(code) for code in self.options.values()], axis=1)
        return colours[:, _slot(unit, len(self.options))]


def _slot(unit: np.ndarray, options: int) -> np.ndarray:
    """Which of equally likely `options` each unit number falls on."""
    return (unit * options).astype(int)


def _middle(unit: np.ndarray, options: int) -> np.ndarray:
    """The middle of the interval of equally likely `options` on which each unit number falls."""
    return (_slot(unit, options) + 0.5) / options


def spread(axes: int, count: int, key: np.ndarray) -> np.ndarray:
    """The first `count` points `[count, axes]` of a low-discrepancy sequence in the unit cube, shifted by `key`."""
    dice = Dice(key)
    shift = np.array([dice.roll().item() for _ in range(axes)])
    return np.mod(shift + np.arange(count)[:, None] * STRIDES[:axes], 1)


def drawn(traits: tuple[Trait, ...], points: np.ndarray) -> SimpleNamespace:
    """What a painter needs of every trait at `points` `[n, len(traits)]`, by the traits' names."""
    return SimpleNamespace(**{trait.name: trait.drawn(unit) for trait, unit in zip(traits, points.T, strict=True)})
