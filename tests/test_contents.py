"""A folder of photographs is its pictures: one identity however it is spelled, another as soon as a picture is another.

And a study that began with some pictures goes on with them, or says which are no longer there.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml
from layouts import picture
from tiny import ROOT

from finefit.data import contents, folders, sources
from finefit.hierarchy import index, superclasses
from finefit.jobs import store
from finefit.study import reading, snapshots
from finefit.study.plan import Plan

SMOKE = yaml.safe_load((ROOT / "studies/smoke.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project with forty pictures of four classes; the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    shutil.copyfile(ROOT / "data/sources.csv", "data/sources.csv")
    for label, name in enumerate(("waders/curlew", "waders/snipe", "songbirds/robin", "songbirds/wren")):
        for number in range(10):
            picture(Path("ph") / name / f"{number}.png", (60 * label, 20 * number, 99))
    for read in (sources.table, folders.content):
        read.cache_clear()
    yield tmp_path
    for read in (sources.table, folders.content):
        read.cache_clear()


def planned(path: str | Path = "ph", file: Path | None = None) -> Plan:
    """The plan of a study on the folder, as a new process makes it."""
    folders.content.cache_clear()
    section = {"reader": "folder", "resolutions": [32], "options": {"path": str(path)}}
    return Plan(reading.load(file) if file else reading.parse(SMOKE | {"data": {"birds": section}}, "birds.yaml"))


def digests(plan: Plan) -> list[str]:
    return [job.digest for job in plan.jobs]


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """Paths of the files that are read for their content."""
    paths, really = [], contents.digest
    monkeypatch.setattr(contents, "digest", lambda path: paths.append(path) or really(path))
    return paths


def test_one_folder_is_one_study_however_it_is_spelled(project):
    Path("link").symlink_to("ph")
    Path("a").mkdir()
    shutil.copytree("ph", "a/moved")
    spelled = ["ph", "ph/", "./ph", "a/..//ph", project / "ph", "link", "a/moved"]
    assert len({tuple(digests(planned(path))) for path in spelled}) == 1


def test_a_picture_overwritten_by_another_of_its_size_is_another_study(project):
    before, file = digests(planned()), Path("ph/waders/curlew/3.png")
    times, content = (file.stat().st_atime_ns, file.stat().st_mtime_ns), file.read_bytes()
    file.write_bytes(content[:-1] + b"\0")
    os.utime(file, ns=times)  # as programs do that keep a file's time
    assert digests(planned()) != before
    file.write_bytes(content)
    assert digests(planned()) == before


def test_pictures_are_read_again_only_where_something_of_them_changed(project, opened, monkeypatch):
    monkeypatch.setattr(contents, "SETTLED", 0.0)  # as if the files were older than that
    first = digests(planned())
    assert len(opened) == 40
    opened.clear()
    assert digests(planned()) == first and not opened
    os.utime("ph/waders/curlew/3.png")
    picture(Path("ph/waders/curlew/new.png"))
    Path("ph/waders/snipe/0.png").unlink()
    assert digests(planned()) != first and len(opened) == 2
    shutil.rmtree(contents.FOLDER)  # at any time
    again = digests(planned())
    picture(Path("ph/waders/snipe/0.png"), (60, 0, 99))
    Path("ph/waders/curlew/new.png").unlink()
    assert digests(planned()) == first != again


def test_what_changed_just_now_is_read_again(project, opened):
    """Within a clock's tick a second change would have the first one's time."""
    planned()
    opened.clear()
    planned()
    assert len(opened) == 40


def test_a_file_that_cannot_be_read_is_told_with_the_others(project):
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(ValueError) as raised:
        patch.setattr(contents, "digest", refuse)
        planned()
    assert str(raised.value).count("Permission denied; make it readable") == 40


def begun() -> Path:
    """The snapshot of a study that begins now."""
    return snapshots.keep(planned().study, Path("birds.yaml"))


def test_a_study_under_way_goes_on_with_the_pictures_that_it_began_with(project):
    began = digests(planned())
    snapshot = begun()
    picture(Path("ph/waders/curlew/appeared.png"))
    picture(Path("ph/waders/avocet/appeared.png"))
    plan = planned(file=snapshot)
    assert digests(plan) == began != digests(planned())
    for kind, build in (("data", index.build), ("hierarchy", superclasses.build)):
        store.produce(plan.kind(kind)[0], build)
    rows = index.read_index(plan.kind("data")[0])
    assert len(rows) == 40 and not rows["key"].str.contains("appeared").any()
    assert index.read_pictures(plan.kind("data")[0], rows, 8).shape == (40, 8, 8, 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Path.unlink, "No such file or directory, since this study began"),
        (lambda file: shutil.copyfile("ph/waders/curlew/5.png", file), "overwritten since this study began"),
    ],
)
def test_a_picture_that_is_no_longer_the_one_is_told_and_never_used(project, change, said):
    """Before the index, and after it."""
    plan, other = planned(file=begun()), Path("ph/waders/snipe/7.png")
    data = plan.kind("data")[0]
    store.produce(data, index.build)
    change(other)
    with pytest.raises(ValueError, match=rf"^{other}: {said}; repeat the command"):
        index.read_pictures(data, index.read_index(data), 8)
    shutil.rmtree(data.path)
    with pytest.raises(ValueError, match=rf"^{other}: {said}; repeat the command"):
        store.produce(data, index.build)


def test_what_came_and_went_since_a_study_ran_is_told_when_it_runs_again(project, capsys):
    begun()
    assert capsys.readouterr().err == ""
    Path("ph/waders/snipe/7.png").unlink()
    picture(Path("ph/waders/snipe/new.png"))
    picture(Path("ph/waders/snipe/8.png"), (1, 2, 3))
    begun()
    assert capsys.readouterr().err == (
        "ph: since this study last ran 1 came (waders/snipe/new.png), 1 went (waders/snipe/7.png), 1 changed "
        "(waders/snipe/8.png); what is built on it is made anew\n"
    )
    begun()
    assert capsys.readouterr().err == ""


def test_a_listing_that_is_gone_is_named(project):
    snapshot = begun()
    shutil.rmtree(contents.FOLDER)
    with pytest.raises(ValueError, match=r"scratch/contents/listing-\w+\.json: the listing .*begin it anew"):
        planned(file=snapshot)


def test_joined_folders_stay_with_their_pictures_too(project):
    parts = {"folder": {"path": "ph"}, "embedded": {"train_per_class": 1, "test_per_class": 1}}
    section = {"reader": "joined", "resolutions": [32], "options": {"parts": parts}}
    study = reading.parse(SMOKE | {"data": {"both": section}}, "both.yaml")
    before, snapshot = digests(Plan(study)), snapshots.keep(study, Path("both.yaml"))
    picture(Path("ph/waders/curlew/appeared.png"))
    assert digests(planned(file=snapshot)) == before
    Path("ph").rename("moved")
    parts["folder"]["path"] = "./moved/"
    (Path("moved/waders/curlew/appeared.png")).unlink()
    folders.content.cache_clear()
    assert digests(Plan(reading.parse(SMOKE | {"data": {"both": section}}, "both.yaml"))) == before
