"""Studies as they were when they last ran here: what their jobs read, and what `finefit prune` knows them by.

A snapshot keeps to the listings of folders that the study began with, so that pictures which come, go or change under
way make no other study of it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from finefit import datasets
from finefit.data import contents
from finefit.jobs.store import SCRATCH
from finefit.study import reading
from finefit.study.config import Study

FOLDER = SCRATCH / "studies"
HEAD = "# as it was when it ran: "
SHOWN = 3  # pictures named of those that changed since


def keep(study: Study, origin: Path) -> Path:
    """Write a study down under its content's digest, with the file it came from in the first line; gives the file."""
    origin = origin.absolute()
    if origin.parent == FOLDER.absolute():  # a job on another node, which is given the snapshot itself
        return FOLDER / origin.name
    place, content = os.path.relpath(origin), study.model_dump(mode="json")
    for name, section in content["data"].items():
        section["options"] = datasets.begun(study.reader(name), section["options"])
    text = f"{HEAD}{place}\n" + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    path = FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.yaml"
    if path.exists():
        path.touch()  # the newest of its origin
    else:
        for line in changes(newest().get(Path(place)), content):
            print(line, file=sys.stderr, flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    return path


def newest() -> dict[Path, Path]:
    """The newest snapshot of every study file that ran here, by that file; those without an origin by themselves."""
    found = {}
    for path in sorted(FOLDER.glob("*.yaml"), key=lambda path: path.stat().st_mtime):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        found[Path(first.removeprefix(HEAD)) if first.startswith(HEAD) else path] = path
    return found


def changes(before: Path | None, content: dict[str, Any]) -> Iterator[str]:
    """What of its folders' pictures changed since a study last ran, a line for each folder."""
    earlier = dict(listings(reading.read(before)[0])) if before else {}
    for folder, listing in listings(content):
        if earlier.get(folder, listing) != listing:
            old, new = (contents.read(contents.place(name)) for name in (earlier[folder], listing))
            yield f"{folder}: since this study last ran {told(old, new)}; what is built on it is made anew"


def listings(content: Any) -> Iterator[tuple[str, str]]:
    """Folders and the listings that a study keeps to, wherever its options name such."""
    if isinstance(content, dict):
        if "listing" in content:
            yield content["path"], content["listing"]
        for inner in content.values():
            yield from listings(inner)


def told(old: dict[str, Any] | None, new: dict[str, Any] | None) -> str:
    """How two listings differ."""
    before, now = (content["pictures"] if content else {} for content in (old, new))
    came, went = [path for path in now if path not in before], [path for path in before if path not in now]
    other = [path for path in now if path in before and before[path] != now[path]]
    parts = [(came, "came"), (went, "went"), (other, "changed")]
    return ", ".join(
        f"{len(paths)} {what} ({', '.join(paths[:SHOWN])}{', ...' * (len(paths) > SHOWN)})"
        for paths, what in parts
        if paths
    )
