"""Archives and weights: the table data/sources.csv, and the one way to a verified local copy.

A source is looked for in the project itself (shipped files), in the Python package that it comes with, in `data/raw`,
in the folder or at the address that `FINEFIT_MIRROR` names, then at its public address; nothing is used before its
checksum is right. Compute nodes have no internet: `finefit fetch` runs before.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from finefit.data import tables
from finefit.data.names import nearest
from finefit.jobs.checksums import checksum
from finefit.jobs.locks import only_one

TABLE = Path("data/sources.csv")
RAW = Path("data/raw")
PACKAGE = "package:"  # an address that begins so names the installed package whose file it is
UNPUBLISHED = "none published"
CHECKSUM = re.compile(rf"(sha256|md5):[0-9a-f]+|{UNPUBLISHED}")


@dataclass(frozen=True)
class Source:
    """A row of the table: `file` is its name below data/raw, or its path in the project or package that ships it."""

    name: str
    file: str
    url: str  # empty: shipped, or only to be had by hand
    bytes: int  # 0: not published
    checksum: str  # "sha256:...", "md5:..." (or their first digits), or "none published"
    licence: str
    terms: str
    by_hand: str = ""  # how a person gets it where no program may or can; empty otherwise

    @property
    def shipped(self) -> bool:
        """Whether it is part of the project, or of a package that is installed with it."""
        return self.package != "" or (not self.url and not self.by_hand)

    @property
    def package(self) -> str:
        """The Python package that it comes with; empty for most."""
        return self.url.removeprefix(PACKAGE) if self.url.startswith(PACKAGE) else ""

    @property
    def place(self) -> Path:
        """Where its local copy belongs."""
        if self.package:
            try:
                return Path(str(distribution(self.package).locate_file(self.file)))
            except PackageNotFoundError:
                return Path(self.file)  # where it is not
        return Path(self.file) if self.shipped else RAW / self.file


@lru_cache(maxsize=1)
def table() -> dict[str, Source]:
    """All sources by name.

    Raises:
        ValueError: the table is missing, or a row of it is damaged; the message says where.
    """
    require_project()
    columns = [field.name for field in fields(Source)]
    found = tables.read(TABLE, tuple(column for column in columns if column != "by_hand"))
    if unknown := sorted(set(found.columns) - set(columns)):
        raise ValueError(f"{TABLE}:1: unknown column {', '.join(unknown)}; known are {', '.join(columns)}")
    rows = {}
    for line, row in zip(found.lines, found.rows, strict=True):
        size = tables.number(row["bytes"] or "0", int, f"{TABLE}:{line}: bytes")
        if row["name"] in rows:
            raise ValueError(f"{TABLE}:{line}: name: {row['name']!r} stands there already; remove one")
        if not CHECKSUM.fullmatch(row["checksum"]):
            raise ValueError(
                f"{TABLE}:{line}: checksum: {row['checksum']!r} is none; write sha256: or md5: and its digits, or "
                f"{UNPUBLISHED!r}"
            )
        rows[row["name"]] = Source(**row | {"bytes": size})
    return rows


def require_project() -> None:
    """Raise ValueError where the working directory is not a project's folder; the message says what to do."""
    if not TABLE.exists():
        here = Path(__file__).parents[3]
        remedy = f"cd {here}" if (here / TABLE).exists() else "change to the project's folder"
        raise ValueError(f"{TABLE} is not in {Path.cwd()}: this is no FineFit project; {remedy} and repeat")


def find(name: str) -> Source:
    """One row of the table.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in table():
        raise ValueError(f"{TABLE}: no source {name!r}{nearest(name, table())}")
    return table()[name]


def fetch(name: str) -> Path:
    """Local path of a source, verified; brought from mirror or public address first if need be.

    Raises:
        ValueError: it cannot be had, or its bytes are not what the table says.
    """
    source = find(name)
    target = source.place
    if source.package and not target.exists():
        raise ValueError(f"{name}: package {source.package} is not installed: pip install {source.package}")
    if source.shipped and not target.exists():
        raise ValueError(f"{name}: {target} is missing; it is part of the repository: git checkout {target}")
    if target.exists():
        return verified(target, source)
    with only_one(target.with_name(f".{target.name}.lock"), str(target)):
        if not target.exists():
            bring(source, target)
    return target


def bring(source: Source, target: Path) -> None:
    """Put a source's verified bytes at `target`, from the mirror or else from its public address.

    Raises:
        ValueError: neither has it whole and right.
    """
    from finefit.data.downloads import (
        disk_full,
        download,
    )  # not above: nearly everything that reads the table fetches nothing

    partial = target.with_name(f"{target.name}.partial")
    if source.checksum == UNPUBLISHED:  # nothing would tell a file pieced together from two editions
        partial.unlink(missing_ok=True)
    mirror = os.environ.get("FINEFIT_MIRROR", "")
    if mirror and "://" not in mirror and (Path(mirror) / source.file).exists():
        try:
            shutil.copyfile(Path(mirror) / source.file, partial)
        except OSError as error:
            raise disk_full(error, partial) from None
    else:
        addresses = [f"{mirror.rstrip('/')}/{source.file}"] if "://" in mirror else []
        addresses += [source.url] if source.url else []
        try:
            download(addresses, partial, source.bytes, source.name)
        except ValueError as error:
            raise ValueError(f"{source.name}: {error}. {advice(source)}") from None
    try:
        verified(partial, source).replace(target)
    except ValueError:
        partial.unlink()
        raise
    if source.checksum == UNPUBLISHED:
        trusted(target).write_text(f"{checksum(target).removeprefix('sha256:')}  {target.name}\n")


def advice(source: Source) -> str:
    """What a person can do to provide a source that could not be fetched."""
    how = f"By hand: {source.by_hand}. " if source.by_hand else ""
    return f"{how}Put {source.file} ({source.checksum}) into {RAW}/ or into the folder FINEFIT_MIRROR names, and repeat"


def verified(path: Path, source: Source) -> Path:
    """The path itself if its bytes are the table's, as far as the table (or our first copy) gives them.

    Raises:
        ValueError: the file differs.
    """
    found = path.stat().st_size
    if source.bytes and found != source.bytes:
        raise ValueError(f"{path}: has {found} bytes, but {TABLE} says {source.bytes}; delete it and repeat")
    wanted, where = source.checksum, TABLE
    if wanted == UNPUBLISHED:
        where = trusted(source.place)
        if not where.exists():
            return path
        if not (words := where.read_text().split()):
            raise ValueError(f"{where}: holds no checksum; delete it and {path}, and repeat")
        wanted = f"sha256:{words[0]}"
    digest = checksum(path, wanted.split(":")[0])
    if not digest.startswith(wanted):
        raise ValueError(f"{path}: has {digest}, but {where} says {wanted}; delete it and repeat")
    return path


def trusted(path: Path) -> Path:
    """Where the sha256 of the first fetched copy is kept, for a source without a published checksum."""
    return path.with_name(f"{path.name}.sha256")
