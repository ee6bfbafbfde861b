"""Files by their content: sha256 of each, read once, and again only where its size, times or inode are others.

What was read is remembered in `scratch/contents/`, a table for each folder, which may be deleted at any time: the files
are then read again. Beside it stand the listings that studies began with, by their digests.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from finefit.jobs.progress import progress
from finefit.jobs.store import SCRATCH

FOLDER = SCRATCH / "contents"
HEX = 64  # digits of a digest
ALOUD = 500e6  # bytes to read from which on progress is told
SETTLED = 2.0  # seconds after a file's last change from which on another change has another time, on any file system


def digests(folder: str, found: dict[str, os.stat_result], refuse: Callable[[str, str], None]) -> dict[str, str]:
    """sha256 (hex) of files below a folder, by their paths relative to it.

    Args:
        folder: where they lie.
        found: the files, as they were when the folder was listed.
        refuse: called with path and reason of each that cannot be read, which is then left out; so is one that is gone.
    """
    file = FOLDER / f"{hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:16]}.json"
    known: dict[str, str] = read(file) or {}  # digest and mark
    now = {path: known[path] for path, about in found.items() if path in known and known[path][HEX:] == mark(about)}
    fresh = [path for path in found if path not in now]
    aloud = sum(found[path].st_size for path in fresh) > ALOUD
    for path in progress(fresh, "reading new and changed pictures") if aloud else fresh:
        try:
            now[path] = "".join(digest(os.path.join(folder, path)))
        except FileNotFoundError:
            continue
        except OSError as error:
            refuse(path, error.strerror)
    if fresh or len(known) > len(now):
        with suppress(OSError):  # in another's project nothing may be written, and the files are read again
            remember(file, {path: one for path, one in now.items() if settled(one[HEX:])})
    return {path: now[path][:HEX] for path in found if path in now}


def digest(path: str) -> tuple[str, str]:
    """sha256 (hex) of a file, and its mark before its first byte was read."""
    with open(path, "rb", buffering=0) as file:
        about = os.fstat(file.fileno())
        return of_bytes(file.read()), mark(about)


def of_bytes(content: bytes) -> str:
    """sha256 (hex) of a file's bytes."""
    return hashlib.sha256(content).hexdigest()


def mark(about: os.stat_result) -> str:
    """Size, inode, and when a file was modified and changed: not all are the same where the content is another."""
    return f" {about.st_size} {about.st_ino} {about.st_mtime_ns} {about.st_ctime_ns}"


def settled(found: str) -> bool:
    """Whether a file changed long enough ago that a change after it was read would show in its mark."""
    return abs(time.time() - int(found.rpartition(" ")[2]) / 1e9) > SETTLED


def listing(pictures: dict[str, str]) -> str:
    """sha256 (hex) of paths and contents."""
    return hashlib.sha256("".join(f"{path} {checksum}\n" for path, checksum in pictures.items()).encode()).hexdigest()


def keep(name: str, content: Any) -> None:
    """Keep a listing under its digest, for the jobs of the study that begins with it."""
    if read(place(name)) is None:
        remember(place(name), content)


def kept(name: str) -> Any:
    """A listing that was kept.

    Raises:
        ValueError: it is not there, or damaged.
    """
    content = read(place(name))
    if content is None:
        raise ValueError(f"{place(name)}: the listing that a study began with, missing or damaged; begin it anew")
    return content


def place(name: str) -> Path:
    """Where a listing is kept."""
    return FOLDER / f"listing-{name}.json"


def read(file: Path) -> Any:
    """What a table holds, None where it is not there or was cut off."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def remember(file: Path, content: Any) -> None:
    """Write a table whole or not at all."""
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    file.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(file)
