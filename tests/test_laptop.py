"""Any laptop: a Mac has neither `sched_getaffinity` nor `preadv` nor GNU's sed, a source archive has no git."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from clones import clone_here

# What Python imports first of all: the calls that only Linux has are gone.
WITHOUT_LINUX = "import os\nfor name in ('sched_getaffinity', 'preadv', 'pread'):\n    delattr(os, name)\n"
BSD_SED = """#!/bin/sh
for word; do case $word in -u|--unbuffered|-i|-r) echo "sed: illegal option -- $word" >&2; exit 1;; esac; done
exec /usr/bin/env -S PATH=/usr/bin:/bin sed "$@"
"""


@pytest.mark.workflow
def test_the_smoke_study_runs_alike_on_a_mac_from_an_archive_in_a_folder_with_a_space(finished, tmp_path, monkeypatch):
    clone = clone_here(tmp_path / "a folder", "finediffusion")
    shutil.rmtree(clone.root / ".git")
    (clone.root / ".venv").symlink_to(Path(sys.executable).parents[1])
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sed").write_text(BSD_SED)
    (tmp_path / "bin/sed").chmod(0o755)
    (clone.root / "src/sitecustomize.py").write_text(WITHOUT_LINUX)
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.delenv("HOME", raising=False)
    said = clone("make", "-o", ".venv/ready", "study", bin=tmp_path / "bin")
    assert "no version of the artifacts is kept" in said and "The report: reports/smoke/index.html" in said
    assert clone.files().items() < finished.files().items()
