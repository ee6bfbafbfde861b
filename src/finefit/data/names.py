"""Names that people spell in two ways: with blanks at an end, in another case or Unicode form."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable


def canonical(name: str) -> str:
    """What all spellings of a name have in common: composed characters (NFC), one case, single blanks within."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of different names that only their spelling tells apart."""
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(canonical(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def told(group: list[str]) -> str:
    """A group of such names, for a message."""
    names = " and ".join(repr(name) for name in group)
    return f"{names} differ only in blanks, case or Unicode form; give them one spelling"


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that `name` may have meant, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
