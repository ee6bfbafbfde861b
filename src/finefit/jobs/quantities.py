"""Lengths of time, bytes and counts as a reader wants to see them, on a page and on a terminal alike."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Seconds as "4.2 s", "12 min", "7.2 h" or "52 years"."""
    for limit, unit, length in ((90.0, "s", 1.0), (5400.0, "min", 60.0), (36e6, "h", 3600.0)):
        if seconds < limit:
            return f"{short(seconds / length).removesuffix('.0')} {unit}"
    return f"{seconds / 3600 / 8766:,.1f} years"


def size(count: float) -> str:
    """Bytes as "12 kB", "3.4 MB" or "1.2 TB" (powers of 1000)."""
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 1000:
            return f"{short(count)} {unit}"
    return f"{short(count / 1000)} TB"


def short(value: float) -> str:
    """A number with a decimal place below ten: 0.3, 4.2, 12, 3,600."""
    return f"{value:,.{int(value < 9.95)}f}"


def plural(count: int, noun: str) -> str:
    """ "1 seed", "3 seeds", "2 classes"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "es" if noun.endswith("s") else "s")
