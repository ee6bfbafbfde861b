"""Unpacking the archives of a data set into one folder, once, and never outside it."""

from __future__ import annotations

import errno
import hashlib
import shutil
import stat
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from finefit.data import sources
from finefit.jobs.locks import only_one

TARS, ZIPS = (".tar", ".tar.gz", ".tgz"), (".zip",)
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError)


def unpacked(names: tuple[str, ...]) -> Path:
    """Folder with the content of sources: archives unpacked, archives within them too, other files as they are.

    Raises:
        ValueError: a source cannot be had; or an archive is damaged, or holds a link or a member that would leave the
            folder. Nothing of it is kept.
    """
    folder = place(names)
    if not folder.exists():
        with only_one(folder.with_name(f".{folder.name}.lock"), str(folder)):
            if not folder.exists():
                partial = folder.with_name(f"{folder.name}.partial")
                shutil.rmtree(partial, ignore_errors=True)
                try:
                    for name in names:
                        unpack(sources.fetch(name), partial)
                    partial.rename(folder)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
    return folder


def place(names: tuple[str, ...]) -> Path:
    """Where the content of sources stands once unpacked; its name bears a digest of their checksums."""
    identity = "\n".join(f"{name} {sources.find(name).checksum}" for name in names)
    return sources.RAW / f"{names[0]}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def unpack(archive: Path, folder: Path) -> None:
    """Put an archive's content into `folder`; an archive inside it becomes a folder of its name."""
    folder.mkdir(parents=True, exist_ok=True)
    print(f"unpacking {archive.name}", file=sys.stderr, flush=True)
    try:
        if archive.name.endswith(TARS):
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter=plain_member)
        elif archive.name.endswith(ZIPS):
            with zipfile.ZipFile(archive) as file:
                members = [member for member in file.infolist() if is_content(member.filename)]
                for member in members:
                    refuse_unsafe(member.filename, stat.S_ISLNK(member.external_attr >> 16))
                file.extractall(folder, members)
        else:
            shutil.copyfile(archive, folder / archive.name)
            return
    except DAMAGED as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some of the disk and repeat" if full else "get the file again, from where the table says"
        raise ValueError(f"{archive}: not unpacked: {error}; {remedy}") from None
    for inner in sorted(path for path in folder.rglob("*") if path.name.endswith(TARS + ZIPS) and path.is_file()):
        unpack(inner, inner.with_name(inner.name.split(".")[0]))
        inner.unlink()


def plain_member(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """A tar member that is a file or folder within `folder`; what is no content is left out, all else is refused."""
    if not is_content(member.name):
        return None
    refuse_unsafe(member.name, not (member.isreg() or member.isdir()))
    return tarfile.data_filter(member, folder)


def is_content(name: str) -> bool:
    """Whether a member is more than what a Mac packs beside every file: `__MACOSX/`, `._*` and `.DS_Store`."""
    parts = PurePosixPath(name).parts
    return not any(part in ("__MACOSX", ".DS_Store") or part.startswith("._") for part in parts)


def refuse_unsafe(name: str, link: bool) -> None:
    """Raise `tarfile.TarError` for a link (or device), an absolute path, or a path that leaves its folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if link or path.is_absolute() or ".." in path.parts or ":" in (path.parts or ("",))[0]:
        raise tarfile.TarError(f"its member {name!r} is a link, an absolute path or leaves the folder")
