"""Names that people spell in two ways: with blanks at an end, in another case or Unicode form."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

SHOWN = 20  # of the known names in a message


def canonical(name: str) -> str:
    """What all spellings of a name have in common: composed characters (NFC), one case, single blanks, none unseen."""
    visible = "".join(mark for mark in name if unicodedata.category(mark) != "Cf")  # no zero-width blanks, soft hyphens
    return " ".join(unicodedata.normalize("NFC", visible).casefold().split())


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


def ids_of(asked: Iterable[str], classes: Sequence[str]) -> list[int]:
    """Ids of class names, their places in `classes`; a spelling of one class alone is found as well.

    Raises:
        ValueError: there is no such class.
    """
    exact = {name: number for number, name in enumerate(classes)}
    spellings = Counter(map(canonical, classes))
    alone = {canonical(name): number for name, number in exact.items() if spellings[canonical(name)] == 1}
    found = []
    for name in asked:
        if (number := exact.get(name, alone.get(canonical(name)))) is None:
            some = ", ".join(classes[:SHOWN]) + (", ..." if len(classes) > SHOWN else "")
            raise ValueError(f"no class {name!r}{nearest(name, classes)}: the data set has {some}")
        found.append(number)
    return found


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that `name` may have meant, whatever its spelling, or nothing."""
    spelled = {canonical(one): one for one in reversed(list(known))}
    close = difflib.get_close_matches(canonical(name), list(spelled), n=1)
    return f" (did you mean {spelled[close[0]]}?)" if close else ""
