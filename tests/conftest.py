"""All tests compute with one thread, as jobs do: two threads that wait for each other are slow on a busy machine."""

import os
import shutil

import pytest
from clones import Clone, clone_here

os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Clone:
    """The smoke study as `dvc repro` leaves it, committed. Not to be changed: see `smoke`."""
    clone = clone_here(tmp_path_factory.mktemp("finished"))
    clone("dvc", "repro")
    clone.commit()
    return clone


@pytest.fixture
def smoke(finished, tmp_path) -> Clone:
    """A copy of the finished smoke study, to do something to."""
    shutil.copytree(finished.root, tmp_path / "finefit", symlinks=True)
    return Clone(tmp_path / "finefit")
