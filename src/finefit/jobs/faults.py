"""What went wrong, in one line: faults of use and of the machine are told, bugs are written down with their traceback.

A ValueError that this project raises says `FILE[:LINE][: KEY]: what was found; what to do`. One that a library raises
below us is a bug of ours, as is everything else that nobody expected.
"""

from __future__ import annotations

import errno
import os
import pwd
import re
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from finefit.jobs.job import PHASES

BUGS = Path("logs/bugs")
FULL = (errno.ENOSPC, errno.EDQUOT)
# What torch, safetensors and numpy say when a write comes to no end; their errors bear no number.
FULL_TEXTS = ("No space left on device", "unexpected pos", "requested and", "file write failed")
# What torch, its drivers, numpy and the system say when memory is short, beside MemoryError.
SHORT_TEXTS = ("allocate memory", "out of memory", "bad_alloc", "start new thread", "ALLOC_FAILED")
# Where jobs write: every artifact folder, and what is fetched, kept and said beside.
PLACES = ("scratch", *dict.fromkeys(folder for _, folder in PHASES.values()), "data/raw", "logs", ".")


def line(error: BaseException) -> str:
    """One line about an error; a bug's traceback goes into a file that the line names."""
    return expected(error) or written_down(error)


def expected(error: BaseException) -> str:
    """What a fault of use or of the machine is, and what to do; empty for a bug."""
    if disk_is_full(error):
        return full(error)
    if memory_is_short(error):
        return f"out of memory ({wanted(error)}); lower batch_size, or use more"
    if isinstance(error, OSError) and error.filename is not None:
        return of_system(error)
    if isinstance(error, ValueError) and raised_here(error):
        return str(error)
    return ""


def raised_here(error: BaseException) -> bool:
    """Whether this project's own code raised an error, rather than a library that it called."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].f_globals.get("__name__", "").split(".")[0] in ("finefit", "__main__")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def disk_is_full(error: BaseException) -> bool:
    """Whether an error comes from a disk without room."""
    return any(
        getattr(one, "errno", None) in FULL
        or (not isinstance(one, ValueError) and any(text in str(one) for text in FULL_TEXTS))
        for one in chain(error)
    )


def full(error: BaseException) -> str:
    """What to say of a full disk: the folder that was written to where an error names it, else the fullest."""
    places = [path for path in map(Path, (*PLACES, tempfile.gettempdir())) if path.is_dir()]
    folder = written_to(error) or min(places, key=room)
    quota = any(getattr(one, "errno", None) == errno.EDQUOT for one in chain(error))
    files = room(folder) == 0 and shutil.disk_usage(folder).free > 0
    why = " up to your quota" if quota else " (of as many files as it takes)" if files else ""
    return f"{folder.absolute()}: its disk is full{why}; free some and repeat: what was kept is gone on from"


def written_to(error: BaseException) -> Path | None:
    """The folder, of those that jobs write to where it is in one, of the file that an error about a full disk names."""
    systems = [one for one in chain(error) if isinstance(one, OSError) and one.filename is not None]
    named = [str(one.filename2 or one.filename) for one in systems]  # of a copy the second is where to
    copies = [pair for one in chain(error) if isinstance(one, shutil.Error) for pair in one.args[0]]
    for name in (*named, *(target for _, target, said in copies if FULL_TEXTS[0] in said)):
        path = Path(os.path.abspath(name))
        known = [Path(place) for place in PLACES[:-1] if path.is_relative_to(Path(place).absolute())]
        return known[0] if known else next(place for place in path.parents if place.is_dir())
    return None


def room(folder: Path) -> int:
    """Bytes free on a folder's disk for this user; 0 where it takes no further file."""
    disk = os.statvfs(folder)
    return 0 if disk.f_files and not disk.f_favail else disk.f_bavail * disk.f_frsize


def memory_is_short(error: BaseException) -> bool:
    """Whether an error comes from memory, of the processor's or a GPU's, that is all taken."""
    return any(
        isinstance(one, MemoryError)
        or type(one).__name__ == "OutOfMemoryError"
        or getattr(one, "errno", None) == errno.ENOMEM
        or (isinstance(one, RuntimeError | ImportError) and any(text in str(one) for text in SHORT_TEXTS))
        for one in chain(error)
    )


def wanted(error: BaseException) -> str:
    """What there was no memory for, as far as an error says it."""
    text = (str(error).splitlines() or [""])[0]
    allocation = re.search(r"tried to allocate (\d+) bytes", text)
    return f"tried to allocate {int(allocation[1]) / 1e9:.1f} GB of RAM" if allocation else text or "RAM"


def of_system(error: OSError) -> str:
    """What the system refused, of which file, and what to do."""
    path = Path(os.fsdecode(error.filename))
    if error.errno in (errno.EACCES, errno.EPERM):
        nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
        owner, here = owner_of(nearest), Path.cwd()
        inside = nearest.absolute().relative_to(here).parts if nearest.absolute().is_relative_to(here) else ()
        return (
            f"{path}: {nearest} belongs to {owner} and {name_of(os.getuid())} may not do that; copy the project, "
            f"or have {owner} run `chmod -R g+w {inside[0] if inside else nearest}`"
        )
    if error.errno == errno.EROFS:
        return f"{path}: its file system is read-only; make the folder a link to one that can be written"
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return f"{path}: a file, or a link that leads nowhere, stands where a folder is needed; remove or mend it"
    if error.errno == errno.ENOENT and not path.absolute().parent.is_dir():
        return no_folder(path)
    return f"{path}: {error.strerror}"


def owner_of(path: Path) -> str:
    """Name of a file's owner."""
    return name_of(path.stat().st_uid)


def name_of(user: int) -> str:
    """Name of a user of this machine, the number where it has none."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def written_down(error: BaseException) -> str:
    """Write a bug's traceback into a file of `BUGS`; gives the line about it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]} ({Path(last.filename).name}:{last.lineno})"
    file = BUGS / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    text = "".join(traceback.format_exception(error))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError:
        return f"a bug of FineFit: {what}; please report it with this:\n{text}"
    return f"a bug of FineFit: {what}; please report it with {file}, which holds the traceback"


def require_folder(file: Path) -> None:
    """Raise ValueError where the folder that `file` is to stand in is not there: before anything is computed."""
    if not file.absolute().parent.is_dir():
        raise ValueError(no_folder(file))


def no_folder(file: Path) -> str:
    """What is said where the folder that `file` is to stand in is missing."""
    return f"{file}: there is no folder {file.absolute().parent}; make it first"
