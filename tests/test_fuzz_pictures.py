"""Pictures with odd metadata or damaged bytes, and folders that change while a study runs: the right result or a line.

`FINEFIT_FUZZ` says how many folders (10 unless told, 1,000 by `make test-long`) and, ten times that, how many pictures
of each format. Cases are numbered; a failing one is printed with its number, which alone decides it.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational
from tiny import ROOT

from finefit import codecs
from finefit.data import contents, folders, pictures, sources
from finefit.hierarchy import index, superclasses
from finefit.jobs import faults, readers, store
from finefit.latents import encode
from finefit.study import reading, snapshots
from finefit.study.plan import Plan

CASES = int(os.environ.get("FINEFIT_FUZZ", "10"))
SEED = int(os.environ.get("FINEFIT_FUZZ_SEED", "0"))
SIDE = 8  # pixels that pictures are read at

# Metadata and damage.

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF")
TAGS = sorted({*ExifTags.TAGS} - {273, 278, 279, 256, 257, 258, 259, 262, 277, 284})  # not those that lay out a TIFF
ORIENTATION = ExifTags.Base.Orientation.value


@cache
def profiles() -> list[bytes]:
    """Colour profiles, whole ones first."""
    return [ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes() for name in ("sRGB", "LAB", "XYZ")]


def value(chance: random.Random) -> object:
    """A value of metadata, of a type that a tag may not have."""
    return chance.choice([
        lambda: chance.randrange(65536), lambda: chance.randbytes(chance.randrange(40)),
        lambda: "".join(chance.choices("aß鯉\0<&\n", k=chance.randrange(20))),
        lambda: IFDRational(chance.randrange(-9, 9), chance.choice([1, 0, 7, -3])),
        lambda: tuple(chance.randrange(256) for _ in range(chance.randrange(1, 6))),
        lambda: chance.uniform(-1e9, 1e9),
    ])()  # fmt: skip


def exif(chance: random.Random) -> bytes:
    """EXIF with a few odd tags, an orientation and places of the globe; damaged in one case of two."""
    found = Image.Exif()
    if chance.random() < 0.7:
        found[ORIENTATION] = chance.choice([*range(10), "6", -1])
    for block in (found, found.get_ifd(ExifTags.IFD.GPSInfo), found.get_ifd(ExifTags.IFD.Exif)):
        for tag in chance.sample(TAGS, chance.randrange(5)):
            block[tag] = value(chance)
    try:
        content = found.tobytes()
    except Exception:  # what Pillow cannot write is not to be read either
        return b"Exif\0\0" + chance.randbytes(30)
    return damaged(content, chance) if chance.random() < 0.5 else content


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, taken away or put in; or the end cut off."""
    found = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 8])):
        place = chance.randrange(len(found) + 1)
        found[place : place + chance.randrange(5)] = chance.randbytes(chance.randrange(5))
    return bytes(found[: chance.randrange(len(found) + 1)] if chance.random() < 0.1 else found)


def picture(form: str, chance: random.Random) -> bytes:
    """A small picture file of a format with metadata of all kinds that it takes, damaged in one case of two."""
    mode = chance.choice({"JPEG": ["RGB", "L", "CMYK"], "AVIF": ["RGB", "RGBA"]}.get(form, ["RGB", "L", "RGBA", "P"]))
    image = Image.fromarray(np.frombuffer(chance.randbytes(16 * 12 * 3), np.uint8).reshape(12, 16, 3)).convert(mode)
    profile = chance.choice(profiles())
    options = {
        "exif": exif(chance), "icc_profile": damaged(profile, chance) if chance.random() < 0.5 else profile,
        "xmp": chance.randbytes(chance.randrange(60)) + b'<x tiff:Orientation="6"/>', "comment": chance.randbytes(9),
    }  # fmt: skip
    options = {key: given for key, given in options.items() if chance.random() < 0.6}
    if form == "AVIF":
        options |= {"speed": 10, "max_threads": 1}
    if form == "PNG" and chance.random() < 0.5:
        options["pnginfo"] = text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", "<x>" * chance.randrange(9))
        text.add(b"eXIf", chance.randbytes(20))
    if form == "TIFF":
        options = {key: given for key, given in options.items() if key == "icc_profile"}
        options["tiffinfo"] = {tag: chance.randbytes(9) for tag in (33723, 34377, 700) if chance.random() < 0.5}  # IPTC
        options["tiffinfo"] |= {ORIENTATION: chance.randrange(1, 9)} if chance.random() < 0.5 else {}
    file = io.BytesIO()
    try:
        image.save(file, form, **options)
    except Exception:  # what Pillow cannot write
        file = io.BytesIO()
        image.save(file, form)
    content = file.getvalue()
    if form == "JPEG" and chance.random() < 0.5:  # Photoshop's block, where IPTC stands
        block = b"Photoshop 3.0\0" + b"8BIM" + chance.randbytes(chance.randrange(60))
        content = content[:2] + b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block + content[2:]
    return damaged(content, chance) if chance.random() < 0.5 else content


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.filterwarnings("ignore")
def test_pictures_are_read_or_told(form, tmp_path):
    """And what the check takes for good can be read."""
    file, told = tmp_path / "a.picture", 0
    for number in range(10 * CASES):
        content = picture(form, random.Random(f"{SEED} {form} {number}"))
        try:
            fault = pictures.look(content).fault
            file.write_bytes(content)
            found = None
            try:
                found = pictures.read_file(file, SIDE)
            except ValueError as error:
                assert faults.expected(error).startswith(f"{file}: not readable as a picture ("), error
            assert (found is None) == bool(fault), fault
            assert found is None or (found.shape == (SIDE, SIDE, 3) and found.dtype == np.uint8)
        except BaseException:
            print(f"{form}, picture {number} of seed {SEED}")
            raise
        told += bool(fault)
    assert 0 < told < 10 * CASES  # both occur, or these cases try nothing


# Folders that change under way.

CLASSES = ("waders/curlew", "waders/snipe", "songbirds/robin", "songbirds/wren")
STUDY = yaml.safe_load((ROOT / "studies/smoke.yaml").read_text(encoding="utf-8")) | {
    "data": {"birds": {"reader": "folder", "resolutions": [32], "options": {"path": "ph", "test_every": 2}}},
    "methods": {"full": {}},
}
BUILDERS = {"data": index.build, "hierarchy": superclasses.build, "latents": encode.build}
MOST = 50  # times that files are opened or folders listed in a run of so few pictures


class Opened:
    """What to do whenever something below a folder is about to be opened or listed; `None` for nothing."""

    act: Callable[[], None] | None = None
    listens = False

    @classmethod
    def hear(cls, event: str, details: tuple) -> None:
        """Take note of what the interpreter does."""
        if cls.act and event in ("open", "os.scandir") and "ph/" in f"{details[0]}/":
            act, cls.act = cls.act, None  # not of what it opens itself
            act()
            cls.act = act


@contextmanager
def changing(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` whenever something of the folder is about to be opened or listed."""
    if not Opened.listens:  # for good: the interpreter forgets no listener
        sys.addaudithook(Opened.hear)
        Opened.listens = True
    Opened.act = act
    try:
        yield
    finally:
        Opened.act = None


def drawn(chance: random.Random) -> bytes:
    """A picture file; many have the same length."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), tuple(chance.randbytes(3))).save(file, "BMP")
    return file.getvalue()


class Changes:
    """A folder that is changed at random moments; what its files held at any time, and which were changed."""

    def __init__(self, chance: random.Random):
        self.chance, self.held, self.changed = chance, {}, set()
        self.moments = sorted(chance.randrange(MOST) for _ in range(chance.randrange(1, 5)))
        self.now = 0
        for name in CLASSES:
            for number in range(3):
                self.put(Path("ph") / name / f"{number}.bmp", drawn(chance))
        self.changed.clear()

    def put(self, file: Path, content: bytes) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self.held[contents.of_bytes(content)] = content
        self.changed.add(str(file))

    def pass_by(self) -> None:
        """Another moment; at some, a change."""
        self.now += 1
        while self.moments and self.moments[0] < self.now:
            self.moments.pop(0)
            self.change()

    def change(self) -> None:
        files = sorted(path for path in Path("ph").rglob("*.bmp"))
        file, chance = self.chance.choice(files), self.chance
        kind = chance.choice(["add", "remove", "rename", "overwrite", "overwrite", "replace", "cut off", "touch"])
        if kind == "add":
            self.put(file.with_name(f"new {chance.randrange(99)}.bmp"), drawn(chance))
        elif kind == "remove":
            file.unlink()
        elif kind == "rename":
            target = file.with_name(f"renamed {chance.randrange(99)}.bmp")
            file.rename(target)
            self.changed.add(str(target))
        elif kind == "overwrite":
            self.put(file, drawn(chance))
        elif kind == "replace":
            other = file.with_name(".partial")
            other.write_bytes(content := drawn(chance))
            other.replace(file)
            self.held[contents.of_bytes(content)] = content
        elif kind == "cut off":
            self.put(file, file.read_bytes()[: chance.randrange(150)])
        else:
            os.utime(file)
        self.changed.add(str(file))


def run() -> Plan:
    """The study up to its latents, each job with its plan anew, as processes of their own make it."""
    folders.content.cache_clear()
    snapshot = snapshots.keep(reading.parse(STUDY, "birds.yaml"), Path("birds.yaml"))
    asked = yaml.load(snapshot.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    for kind, build in BUILDERS.items():
        folders.content.cache_clear()
        plan = Plan(reading.parse(asked, str(snapshot)))
        (job,) = plan.kind(kind)
        store.produce(job, build)
    return plan


def is_of_its_listing(plan: Plan, held: dict[str, bytes]) -> None:
    """Whether the latents are those of the very pictures that their digest stands for."""
    (data,), (latents,) = plan.kind("data"), plan.kind("latents")
    listed = contents.kept(data.settings["listing"])["pictures"]
    rows = index.read_index(data)
    assert set(rows["key"]) == set(listed)
    train = index.read_index(data, "train")["key"]
    expected = []
    for key in train:
        with pictures.opened(held[listed[key]]) as image:
            expected.append(pictures.centre_crop(pictures.upright_rgb(image), 32))
    codec = codecs.load(latents.settings["codec"])
    stored = np.load(latents.path / "latents-00000.npy")
    assert np.array_equal(stored, encode.encode_flips(codec, np.stack(expected), "cpu"))
    assert readers.content(latents.path / "index.json")["count"] == len(train)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for slow in ("code_version", "version"):  # processes of git, and reading what is installed
        monkeypatch.setattr(store, slow, cache(getattr(store, slow)))
    Path("data").mkdir()
    shutil.copyfile(ROOT / "data/sources.csv", "data/sources.csv")
    (Path("data") / "base").symlink_to(ROOT / "data/base")
    sources.table.cache_clear()
    yield tmp_path
    sources.table.cache_clear()
    folders.content.cache_clear()


def test_folders_that_change_while_a_study_runs(project, capsys):
    """A run ends with what it began with, or names what changed; its repetition is of what is there. None is stale."""
    ended = {"right": 0, "told": 0}
    for number in range(CASES):
        for place in ("ph", "scratch", "data/sets", "data/hierarchies", "latents"):
            shutil.rmtree(place, ignore_errors=True)
        changes = Changes(random.Random(f"{SEED} {number}"))
        try:
            with changing(changes.pass_by):
                try:
                    plan = run()
                    ended["right"] += 1
                    is_of_its_listing(plan, changes.held)
                except Exception as error:
                    said = faults.expected(error)
                    assert said and any(file in said for file in changes.changed), f"{said!r}: {error!r}"
                    ended["told"] += 1
            try:
                is_of_its_listing(run(), changes.held)
            except ValueError as error:  # a picture that was cut off is no picture
                assert "not readable as a picture" in str(error) or "is empty" in str(error), error
                assert any(file in str(error) for file in changes.changed)
        except BaseException:
            print(f"folder {number} of seed {SEED}: {changes.changed}")
            raise
    with capsys.disabled():
        print(f"{CASES} folders: {ended}")
    assert all(ended.values())
