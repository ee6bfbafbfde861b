"""What the parts of a job took, by name: told in its provenance, so that rates can be taken from any job that ran."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Moment(NamedTuple):
    """A time by the clock and by this process's processor time, both in seconds."""

    clock: float
    processor: float


class Spent(NamedTuple):
    """So much of a part, and what it took."""

    amount: float
    clock: float
    processor: float


_first: dict[str, Spent] = {}  # each part's first time, which warms up
_rest: dict[str, Spent] = {}  # all later times together


def now() -> Moment:
    """This moment."""
    return Moment(time.monotonic(), time.process_time())


def add(what: str, amount: float, since: Moment) -> None:
    """Note that so much of a part was done since a moment."""
    clock, processor = now()
    took = Spent(amount, clock - since.clock, processor - since.processor)
    if what not in _first:
        _first[what] = took
    else:
        before = _rest.get(what, Spent(0.0, 0.0, 0.0))
        _rest[what] = Spent(*(a + b for a, b in zip(before, took, strict=True)))


@contextmanager
def timed(what: str, amount: float) -> Iterator[None]:
    """Note what the body took; it ends with something that waits for the device."""
    start = now()
    yield
    add(what, amount, start)


def spent() -> dict[str, dict[str, float]]:
    """`amount`, `seconds` and `processor_seconds` of every part; without its first time where there was another."""
    return {
        what: {"amount": one.amount, "seconds": round(one.clock, 4), "processor_seconds": round(one.processor, 4)}
        for what, one in (_first | _rest).items()
    }
