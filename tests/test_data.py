"""Data sets, picture files and sources, on tiny fixtures in their true layouts."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from layouts import picture
from PIL import Image

from finefit import datasets
from finefit.data import archives, folders, sources
from finefit.data.pictures import read_file
from finefit.datasets import folder
from finefit.hierarchy import index as listing
from finefit.jobs.checksums import checksum
from finefit.jobs.job import Job
from finefit.study import building


@pytest.fixture
def own(tmp_path) -> Path:
    for name in ("fish/Zander", "fish/Äsche", "bird/Zander"):
        for number in range(5):
            picture(tmp_path / "own" / name / f"{number}.jpg", size=(40 + number, 30))
    return tmp_path / "own"


def test_own_folder(own):
    settings = folder.Settings(path=str(own))
    classes, index = folder.taxonomy(settings, None), folder.index(settings, None)
    assert list(zip(classes["superclass"], classes["class_name"], strict=True)) == [
        ("bird", "bird/Zander"),
        ("fish", "fish/Zander"),
        ("fish", "Äsche"),
    ]
    assert index.groupby(["class_name", "split"]).size().unstack().to_numpy().tolist() == [[1, 4]] * 3
    assert folder.read(index, 16, settings, None).shape == (15, 16, 16, 3)


def test_own_folder_enters_by_its_listing(own):
    before = folder.listing(folder.Settings(path=str(own)))
    folders.content.cache_clear()
    picture(own / "fish" / "Zander" / "new.png")
    assert folder.listing(folder.Settings(path=str(own))) != before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"path": "no/such"}, "no such folder"),
        ({"path": ""}, "no such folder"),
        ({"path": ".", "test_every": 1}, "at least 2"),
    ],
)
def test_wrong_folder_settings(options, expected):
    with pytest.raises(ValueError, match=expected):
        building.build(folder.Settings, options)


def test_misplaced_pictures_are_listed(tmp_path):
    picture(tmp_path / "deep" / "a" / "b" / "c" / "x.jpg")
    with pytest.raises(ValueError, match="a/b/c/x.jpg"):
        folder.index(folder.Settings(path=str(tmp_path / "deep")), None)


def test_every_data_set_offers_the_interface():
    for name in datasets.names():
        module = datasets.find(name)
        assert all(hasattr(module, part) for part in ("Settings", "sources", "index", "taxonomy", "read"))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_any_colour_mode_is_read_as_rgb(tmp_path, mode):
    path = tmp_path / ("x.jpg" if mode in ("L", "CMYK") else "x.png")
    Image.new("RGB", (40, 30), (250, 250, 250)).convert(mode).save(path)
    assert read_file(path, 16).shape == (16, 16, 3)


def test_rotated_by_exif_is_turned_upright(tmp_path):
    image = Image.fromarray(np.concatenate([np.zeros((20, 40, 3)), np.full((20, 40, 3), 255)]).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image.save(tmp_path / "x.jpg", exif=exif)
    upright = read_file(tmp_path / "x.jpg", 20)
    assert upright[0].mean() > 200 and upright[-1].mean() < 50


def test_crop_is_centred_and_keeps_the_scale(tmp_path):
    pixels = np.zeros((64, 192, 3), np.uint8)
    pixels[:, 64:128] = 255
    Image.fromarray(pixels).save(tmp_path / "x.png")
    assert read_file(tmp_path / "x.png", 32)[:, 1:-1].min() > 240


def test_broken_picture_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=r"broken\.jpg: not readable as a picture"):
        read_file(tmp_path / "broken.jpg", 16)


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A sources table with one archive, present in a mirror, its checksum true."""
    monkeypatch.chdir(tmp_path)
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    with tarfile.open(mirror / "toy.tar.gz", "w:gz") as tar:
        content = b"hello"
        member = tarfile.TarInfo("top/file.txt")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    (tmp_path / "data").mkdir()
    write_table(mirror / "toy.tar.gz")
    monkeypatch.setenv("FINEFIT_MIRROR", str(mirror))
    return mirror


def write_table(archive: Path, stated: str | None = None) -> None:
    row = f"toy,{archive.name},,{archive.stat().st_size},{stated or checksum(archive)},MIT,none,ask"
    Path("data/sources.csv").write_text(f"name,file,url,bytes,checksum,licence,terms,by_hand\n{row}\n")
    sources.table.cache_clear()


@pytest.fixture(autouse=True)
def fresh_table():
    sources.table.cache_clear()
    folders.content.cache_clear()
    yield
    sources.table.cache_clear()


def test_mirror_is_used_and_unpacked_once(table, monkeypatch):
    assert (archives.unpacked(("toy",)) / "top" / "file.txt").read_text() == "hello"
    monkeypatch.delenv("FINEFIT_MIRROR")
    assert archives.unpacked(("toy",)).is_dir()
    assert sorted(path.name for path in Path("data/raw").iterdir() if not path.name.startswith(".")) == sorted(
        ["toy.tar.gz", archives.unpacked(("toy",)).name]
    )


def test_wrong_checksum_never_stands_in_place(table):
    write_table(table / "toy.tar.gz", "sha256:" + "0" * 64)
    with pytest.raises(ValueError, match="but data/sources.csv says"):
        sources.fetch("toy")
    assert not Path("data/raw/toy.tar.gz").exists()


def test_missing_source_says_what_to_do(table, monkeypatch):
    monkeypatch.delenv("FINEFIT_MIRROR")
    with pytest.raises(ValueError, match=r"Put toy\.tar\.gz \(sha256:.*into data/raw/ or .*FINEFIT_MIRROR"):
        sources.fetch("toy")


def test_archive_that_leaves_its_folder_is_refused(table):
    with tarfile.open(table / "toy.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../../escaped.txt"))
    write_table(table / "toy.tar.gz")
    with pytest.raises((ValueError, tarfile.TarError)):
        archives.unpacked(("toy",))
    assert not Path("escaped.txt").exists() and not Path("data/escaped.txt").exists()


def test_class_without_training_pictures_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = Job("data", "embedded", {"reader": "embedded", "options": {}, "sources": []})
    reader = datasets.find("embedded")
    monkeypatch.setattr(
        reader, "index", lambda settings, root: pd.DataFrame({"key": [], "class_name": [], "split": []})
    )
    with pytest.raises(ValueError, match="without a training picture"):
        listing.build(job, tmp_path, tmp_path)
