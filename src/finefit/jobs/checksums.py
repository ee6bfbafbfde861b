"""Checksums of files: what identifies sources, artifacts and shipped weights."""

from __future__ import annotations

import hashlib
from pathlib import Path


def checksum(path: Path, algorithm: str = "sha256") -> str:
    """`algorithm:hex` of a file's bytes."""
    with open(path, "rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"
