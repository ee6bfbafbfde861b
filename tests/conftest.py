"""All tests compute with one thread, as jobs do: two threads that wait for each other are slow on a busy machine."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import clones  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from finefit.jobs.locks import only_one  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the finished smoke study, the longest, come first, so that no process waits for them at the end."""
    items.sort(key=lambda item: "finished" not in getattr(item, "fixturenames", ()))


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make(folder)` filled, once for all processes of the run."""
    shared = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    folder, made = shared / name, shared / f"{name}.made"
    with only_one(shared / f"{name}.lock", name):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # another process failed to make it
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


@pytest.fixture(scope="session", autouse=True)
def memory(tmp_path_factory) -> None:
    """One memory for the clones of all processes of the run."""
    clones.MEMORY[:] = [made_once(tmp_path_factory, "remembered", lambda folder: None)]


@pytest.fixture(scope="session")
def pictures() -> np.ndarray:
    """Sixteen pictures, four of each of four classes."""
    from finefit.datasets import embedded

    settings = embedded.Settings(classes=4, train_per_class=4, test_per_class=1)
    return embedded.read(embedded.index(settings, None).query("split == 'train'"), 32, settings, None)


@pytest.fixture(scope="session")
def latents(pictures, tmp_path_factory):
    """Those pictures' pack."""
    from tiny import CODEC

    from finefit.codecs import patch_pca
    from finefit.latents.encode import pack
    from finefit.latents.pack import Pack

    folder = tmp_path_factory.mktemp("pack")
    pack(folder, lambda start, stop: pictures[start:stop], np.repeat(np.arange(4), 4), patch_pca.load(CODEC))
    return Pack(folder)


@pytest.fixture
def made_up_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A finished study of made-up numbers; the working directory is its root."""
    import made_up

    yield from made_up.finished(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def made_up_site(tmp_path_factory) -> Path:
    """The rendered site of such a study: its first page and one other."""
    import made_up

    from finefit import report
    from finefit.report import site

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for plan in made_up.finished(folder, patch):
                patch.setattr(site, "PAGES", {name: site.PAGES[name] for name in ("study", "factors")})
                out = Path("scratch/a/out")
                out.mkdir(parents=True)
                report.build(plan.report, out, out.parent)
                (out / "digests.json").write_text(json.dumps([job.digest for job in plan.kind("evaluate")]))

    return made_once(tmp_path_factory, "made_up_site", make) / "scratch/a/out"


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> clones.Clone:
    """The smoke study as `dvc repro` leaves it, committed. Not to be changed: see `smoke`."""

    def make(folder: Path) -> None:
        clone = clones.clone_here(folder)
        clone("dvc", "repro")
        clone.commit()

    return clones.Clone(made_once(tmp_path_factory, "finished", make) / "finefit")


@pytest.fixture
def smoke(finished, tmp_path) -> clones.Clone:
    """A copy of the finished smoke study, to do something to."""
    shutil.copytree(finished.root, tmp_path / "finefit", symlinks=True)
    return clones.Clone(tmp_path / "finefit")
