"""Archives and weights: the table data/sources.csv, and the one way to a verified local copy.

A source is looked for in the project itself (shipped files, no `url`), in `data/raw`, in the folder that
`FINEFIT_MIRROR` names, and then at its public address; nothing is used before its checksum is right. Compute nodes have
no internet: `finefit fetch` runs before.
"""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import tarfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

TABLE = Path("data/sources.csv")
RAW = Path("data/raw")


@dataclass(frozen=True)
class Source:
    """A row of the table: `file` is its name on disk, or its path in the project where we ship it (no `url`)."""

    name: str
    file: str
    url: str
    bytes: int
    checksum: str  # "sha256:..." or "md5:..."
    licence: str
    terms: str


@lru_cache(maxsize=1)
def table() -> dict[str, Source]:
    """All sources by name."""
    with open(TABLE, newline="", encoding="utf-8") as file:
        rows = [Source(**row | {"bytes": int(row["bytes"])}) for row in csv.DictReader(file)]
    return {row.name: row for row in rows}


def find(name: str) -> Source:
    """One row of the table.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in table():
        raise ValueError(f"{TABLE}: no source {name!r}; there are {', '.join(table())}")
    return table()[name]


def fetch(name: str) -> Path:
    """Local path of a source, verified; brought from mirror or public address first if need be.

    Raises:
        ValueError: it cannot be had, or its bytes are not what the table says.
    """
    source = find(name)
    if not source.url:
        return verified(Path(source.file), source)
    target = RAW / source.file
    if target.exists():
        return verified(target, source)
    RAW.mkdir(parents=True, exist_ok=True)
    mirror = os.environ.get("FINEFIT_MIRROR")
    if mirror and (Path(mirror) / source.file).exists():
        partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
        shutil.copyfile(Path(mirror) / source.file, partial)
        verified(partial, source).replace(target)
        return target
    return download(source, target)


def download(source: Source, target: Path) -> Path:
    """Fetch a source from its public address into `target`.

    Raises:
        ValueError: it has no public address, or it could not be fetched whole.
    """
    advice = f"Put {source.file} ({source.checksum}) into {RAW}/ or into the folder FINEFIT_MIRROR names, and repeat."
    if not source.url.startswith("http"):
        raise ValueError(f"{source.name}: has no public address ({source.url}). {advice}")
    import pooch

    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        pooch.retrieve(source.url, known_hash=None, fname=partial.name, path=partial.parent, progressbar=True)
    except Exception as error:  # every kind of network failure gets the same advice
        partial.unlink(missing_ok=True)
        raise ValueError(f"{source.name}: could not be fetched from {source.url} ({error}). {advice}") from None
    verified(partial, source).replace(target)
    return target


def verified(path: Path, source: Source) -> Path:
    """The path itself if its checksum is the table's (compared as far as the table gives it).

    Raises:
        ValueError: the file is missing or differs.
    """
    if not path.exists():
        raise ValueError(f"{source.name}: {path} is missing; it is part of the repository: git checkout {path}")
    found = checksum(path, source.checksum.split(":")[0])
    if not found.startswith(source.checksum):
        raise ValueError(f"{path}: has {found}, but {TABLE} says {source.checksum}; delete it and repeat")
    return path


def checksum(path: Path, algorithm: str = "sha256") -> str:
    """`algorithm:hex` of a file's bytes."""
    with open(path, "rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def unpacked(name: str) -> Path:
    """Folder with a tar archive's content, unpacked once.

    Raises:
        ValueError: the archive is damaged, or holds a member that would leave the folder; nothing of it is kept.
    """
    source = find(name)
    folder = RAW / f"{name}-{source.checksum.split(':')[1][:8]}"
    if not folder.exists():
        archive = fetch(name)
        partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(partial, filter="data")
        except tarfile.TarError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise ValueError(
                f"{archive}: not unpacked: {error}; get the file again, from where the table says"
            ) from None
        try:
            partial.rename(folder)
        except OSError:  # another process was first
            shutil.rmtree(partial)
    return folder
