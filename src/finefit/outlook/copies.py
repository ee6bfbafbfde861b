"""Pictures that stand in a data set's training and test split alike: what was trained on cannot test."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pandas as pd

from finefit.jobs.checksums import checksum


def between_splits(index: pd.DataFrame, folder: Path) -> list[tuple[str, str]]:
    """Pairs (test picture, training picture) of files with the same bytes, by their keys.

    Only files that share their length with one of the other split are read.

    Args:
        index: columns `key` (path below the folder) and `split`.
    """
    by_size: dict[int, dict[str, list[str]]] = defaultdict(lambda: {"train": [], "test": []})
    for key, split in zip(index["key"], index["split"], strict=True):
        by_size[os.path.getsize(folder / key)][split].append(key)
    found = []
    for keys in by_size.values():
        if keys["train"] and keys["test"]:
            trained = {checksum(folder / key): key for key in keys["train"]}
            digests = [(key, checksum(folder / key)) for key in keys["test"]]
            found += [(key, trained[digest]) for key, digest in digests if digest in trained]
    return sorted(found)
