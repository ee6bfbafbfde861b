"""Counter-based randomness: every number is a hash of (key, how many were drawn before).

A picture's numbers therefore depend on its own key only, never on its neighbours in a batch.
"""

from __future__ import annotations

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, the stride of SplitMix64


def _scramble(state: np.ndarray) -> np.ndarray:
    """The output function of SplitMix64 on `uint64` arrays."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _unit(state: np.ndarray) -> np.ndarray:
    """Uniform float32 numbers in `[0, 1)` of `uint64` states."""
    return (_scramble(state) >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)


def keys(*parts: int | np.ndarray) -> np.ndarray:
    """One `uint64` key `[n]` per row of the non-negative integers given (each a number or `[n]`)."""
    key = np.zeros(1, np.uint64)
    for part in parts:
        key = _scramble(key + np.atleast_1d(np.asarray(part, np.uint64)) + GOLDEN)
    return key


class Dice:
    """A stream of uniform numbers for each of `n` pictures."""

    def __init__(self, key: np.ndarray) -> None:
        self._state = key.copy()

    def roll(self, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """The next number of every picture, `[n, 1, 1]` float32 in `[low, high)`."""
        self._state += GOLDEN
        return (low + (high - low) * _unit(self._state))[:, None, None]

    def rolls(self, rows: int, columns: int) -> np.ndarray:
        """The next `rows * columns` numbers of every picture, `[n, rows, columns]` float32 in `[0, 1)`."""
        states = self._state[:, None] + GOLDEN * np.arange(1, rows * columns + 1, dtype=np.uint64)
        self._state = states[:, -1].copy()
        return _unit(states).reshape(-1, rows, columns)

    def sign(self) -> np.ndarray:
        """-1 or 1 with equal chance, `[n, 1, 1]`."""
        return np.where(self.roll() < 0.5, np.float32(-1), np.float32(1))
