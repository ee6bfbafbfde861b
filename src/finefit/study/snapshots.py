"""Studies as they were when they last ran here: what their jobs read, and what `finefit prune` knows them by."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import yaml

from finefit.jobs.store import SCRATCH
from finefit.study.config import Study

FOLDER = SCRATCH / "studies"
HEAD = "# as it was when it ran: "


def keep(study: Study, origin: Path) -> Path:
    """Write a study down under its content's digest, with the file it came from in the first line; gives the file."""
    origin = origin.absolute()
    if origin.parent == FOLDER.absolute():  # a job on another node, which is given the snapshot itself
        return FOLDER / origin.name
    place = os.path.relpath(origin)
    text = f"{HEAD}{place}\n" + yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    path = FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.yaml"
    if path.exists():
        path.touch()  # the newest of its origin
    else:
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
