"""Who may read and change what is written: as the person's umask says, whatever a library set by itself."""

from __future__ import annotations

import os
from pathlib import Path


def by_umask(path: Path) -> None:
    """Give a file, or a folder and all in it, the rights that anything new has here.

    safetensors writes files that only their owner reads, as temporary files are made; temporary folders are the same.
    """
    umask = os.umask(0)
    os.umask(umask)
    for place in (path, *path.rglob("*")):
        if not place.is_symlink():
            usual, mode = (0o777 if place.is_dir() else 0o666) & ~umask, place.stat().st_mode
            if mode & usual != usual:  # a colleague's file, which another may not change, has its own
                place.chmod(mode | usual)
