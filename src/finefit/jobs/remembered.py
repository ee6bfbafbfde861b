"""What a calculation gave under the code as it stands, so that no other process of this folder has to repeat it.

For what depends on code alone, as the parameters of a published network do: counting them takes seconds, most of which
libraries take to be imported, and every draft of a report tells them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from finefit.jobs import readers
from finefit.jobs.locks import only_one
from finefit.jobs.store import SCRATCH
from finefit.jobs.whole import whole

FOLDER = SCRATCH / "remembered"
SOURCE = Path(__file__).parents[1]
PACKAGES = ("torch", "peft", "diffusers", "transformers")  # what networks are built with


def remembered(what: list[Any], calculate: Callable[[], Any]) -> Any:
    """What `calculate()` gives, in JSON's types, calculated once for `what` under this code and these packages.

    Raises:
        ValueError: what was kept is damaged; the message says what to do.
    """
    digest = hashlib.sha256(json.dumps([code(), what], sort_keys=True).encode()).hexdigest()
    file = FOLDER / f"{digest}.json"
    if file.exists():
        return readers.content(file, f"delete {file.parent} and repeat")
    found = calculate()
    with suppress(OSError):  # a folder that cannot be written to remembers nothing
        FOLDER.mkdir(parents=True, exist_ok=True)
        with only_one(FOLDER / "lock", str(file)), whole(file) as partial:  # two reports may be drawn at once
            partial.write_text(json.dumps(found), encoding="utf-8")
    return found


@cache
def code() -> str:
    """sha256 of this project's modules and of the packages' versions."""
    digest = hashlib.sha256(repr([version(name) for name in PACKAGES]).encode())
    for file in sorted(SOURCE.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
