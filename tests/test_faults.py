"""What users bring ends in the right result or in one clear line: a test for each kind, named after it."""

from __future__ import annotations

import errno
import json
import os
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file
from tiny import BASE, ROOT, TRAIN, run_of

from finefit import processes
from finefit.data import archives, folders, names, pictures, sources, tables
from finefit.data.listings import only
from finefit.datasets import folder
from finefit.deltas.network import network
from finefit.evaluation.measured import measured
from finefit.hierarchy import clustered, taxonomy_file
from finefit.jobs import faults, progress, states, store
from finefit.jobs.job import Job
from finefit.metrics import TooFew, accuracy, diversity, frechet, kernel, manifold
from finefit.models import checkpoint
from finefit.outlook import data_check, prune, rates
from finefit.study import reading, snapshots
from finefit.study.plan import Plan
from finefit.training.learning_rate import peak_rates
from finefit.training.train import train


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """An empty project with the real table of sources; the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/sources.csv").write_text((ROOT / "data/sources.csv").read_text(encoding="utf-8"), encoding="utf-8")
    sources.table.cache_clear()
    folders.content.cache_clear()
    yield tmp_path
    sources.table.cache_clear()
    folders.content.cache_clear()


def study(**changes: object) -> dict:
    """The smoke study's content with sections or, by `section__key`, keys replaced."""
    content = yaml.safe_load((ROOT / "studies/smoke.yaml").read_text(encoding="utf-8"))
    for name, value in changes.items():
        section, _, key = name.partition("__")
        content[section] = content[section] | {key: value} if key else value
    return content


def of_folder(path: str, **options: object) -> dict:
    return study(data={"mine": {"reader": "folder", "resolutions": [32], "options": {"path": path} | options}})


def photographs(root: Path, classes: int = 4, count: int = 5) -> Path:
    for label in range(classes):
        for number in range(count):
            place = root / f"class {label}" / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            value = 20 * label + number + 10
            Image.new("RGB", (40, 40), (value, 255 - value, 100)).save(place)
    return root


DDPM = processes.find("ddpm")
LINES = {"data": 3, "data.mine": 4, "methods": 5, "methods.full": 6, "sample": 8, "sample.sweep": 9, "sample.steps": 10}


def told(content: dict) -> list[str]:
    """What is refused when a study is read, a line each."""
    folders.content.cache_clear()
    with pytest.raises(ValueError) as raised:
        reading.parse(content, "mine.yaml", LINES)
    return str(raised.value).splitlines()


# Numbers that are not finite.


def test_a_diverging_loss_stops_at_its_step_with_the_rate_and_the_last_loss(latents, tmp_path):
    model = network(run_of("full"), BASE)
    settings = SimpleNamespace(**TRAIN | {"steps": 40})
    with pytest.raises(ValueError, match=r"loss is (nan|inf) at step \d+, the last finite .* 1e\+06 .*lower"):
        train(model, peak_rates(model, 1e6, {}), latents, settings, ["null"], 0, tmp_path / "state")


def test_a_score_that_is_not_finite_is_not_published():
    with pytest.raises(ValueError, match=r"scores: not finite \(NaN or infinite\) \(second\)"):
        measured({"first": lambda: 1.0, "second": lambda: float("nan")})


def test_a_checkpoint_with_nan_is_refused(tmp_path):
    save_file({"x": torch.tensor([1.0, float("nan")])}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=r"a\.safetensors: not finite .*\(x\)"):
        checkpoint.read(tmp_path / "a.safetensors")


# Copies.


def test_copies_between_the_splits_are_counted_and_named(tmp_path):
    held = {"a.png": b"same", "b.png": b"same", "c.png": b"other", "d.png": b"longer", "e.png": b"same"}
    for name, content in held.items():
        (tmp_path / name).write_bytes(content)
    paths = [tmp_path / name for name in held]
    index = pd.DataFrame({"key": [*held], "class_name": "a", "split": ["train", *["test"] * 4]})
    (head, line) = data_check.copies(index, paths)
    assert head.startswith("2 test pictures are copies of training pictures")
    assert line == f"  {paths[1]} and {paths[4]} is {paths[0]}"


def test_pictures_of_several_classes_are_all_named(project):
    """Of three copies of one picture in two classes, and one in each class."""
    photographs(project / "mine")
    for name in ("class 0/x.png", "class 1/x.png", "class 1/y.png"):
        Image.new("RGB", (40, 40), (1, 2, 3)).save(project / "mine" / name)
    (project / "mine/class 3/z.png").write_bytes((project / "mine/class 2/0.png").read_bytes())
    settings = folder.Settings("mine")
    found = data_check.copies(folder._index(settings), folder.files(folder.table(settings), settings, None),
                              folder.copies(settings))  # fmt: skip
    assert [line.strip() for line in found if "mine" in line and " is " not in line] == [
        "mine/class 0/x.png and mine/class 1/x.png and mine/class 1/y.png",
        "mine/class 2/0.png and mine/class 3/z.png",
    ]
    assert any(line.startswith("2 pictures lie in several classes") for line in found)


def test_classes_of_one_picture_are_refused_before_anything_is_computed(project):
    for label in range(4):
        for number in range(5):
            place = project / f"same/{label}/{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 40), (1, 2, 3)).save(place)
    (line,) = told(of_folder("same"))
    assert "but all 4 classes hold the same: put other pictures into them, or give a taxonomy" in line


def test_classes_that_all_look_the_same_have_no_groups():
    rows = pd.DataFrame({"class_id": np.repeat(range(4), 3)})
    with pytest.raises(ValueError, match="no looks tell groups of the 4 classes apart: give a taxonomy"):
        clustered.superclasses(rows, pd.Series([*"abcd"]), lambda part: np.full((len(part), 5), 7.0))


def test_copied_test_pictures_leave_the_bound_of_memorisation_to_the_others():
    """Of a line of training pictures at 1, 2, ... 100, test pictures half way lie 1/2 from the nearest."""
    train_ = np.arange(1.0, 101)[:, None] @ np.ones((1, 4)) / 2
    test = np.concatenate([train_[:50], train_[50:] + 0.25])
    copies, fresh = train_[:30] + 0.01, train_[:70] + 0.25
    apart = manifold.gaps(test, train_)
    seen = manifold.gaps(np.concatenate([copies, fresh]), train_)
    assert manifold.memorised_share(seen, apart, manifold.copied(apart, test)) == pytest.approx(0.3)
    with pytest.raises(TooFew, match="of 50 test pictures none is other than a training picture"):
        manifold.memorised_share(seen, apart[:50], manifold.copied(apart[:50], test[:50]))


# Counts that can be too small.


@pytest.mark.parametrize(
    "measure",
    [
        lambda: frechet.frechet_distance(np.ones((1, 3)), np.ones((5, 3))),
        lambda: frechet.split_half_distance(np.ones((3, 3)), 2, 0, 1),
        lambda: kernel.kernel_distance(np.ones((1, 3)), np.ones((5, 3)), 0),
        lambda: manifold.precision_recall(np.ones((3, 3)), np.ones((5, 3))),
        lambda: manifold.memorised_share(np.ones(2), np.ones(0), np.ones(0, bool)),
        lambda: diversity.mean_diversity(np.array([np.nan, np.nan])),
        lambda: accuracy.class_accuracy(torch.zeros(0), torch.zeros(0)),
    ],
)
def test_a_measure_without_enough_pictures_has_a_reason_in_place_of_a_value(measure):
    found = measured({"it": measure})
    assert found["it"] is None and found["absent"]["it"]


def test_a_folder_without_test_pictures_is_refused_when_the_study_is_read(project):
    photographs(project / "few", count=4)
    (line,) = told(of_folder("few"))
    assert line.startswith("mine.yaml:4: data.mine: few: 4 classes, none with the 5 pictures")
    assert reading.parse(of_folder("few", test_every=2), "mine.yaml")


def test_two_classes_without_superclasses_are_refused_when_the_study_is_read(project):
    photographs(project / "two", classes=2)
    (line,) = told(of_folder("two"))
    assert "for 4 classes or more; there are 2: give a taxonomy" in line


# Bounds.


@pytest.mark.parametrize("sampler", DDPM.SAMPLERS)
def test_a_sampler_takes_as_many_steps_as_are_different_and_no_more(sampler):
    """At the bound no timestep comes twice and the pictures are finite; one step more is refused."""

    def asked(steps: int) -> list[int]:
        seen = []

        def predict(x, t):
            seen.append(t)
            return torch.zeros(1, 2, 1, 1)

        result = DDPM.sample(sampler, predict, torch.ones(1, 1, 1, 1), steps, lambda: torch.zeros(1, 1, 1, 1))
        assert torch.isfinite(result).all()
        return seen

    most, least = DDPM.SAMPLERS[sampler].most, DDPM.SAMPLERS[sampler].least
    assert len(set(asked(most))) == most and len(asked(least)) == least
    assert told(study(sample__sampler=sampler, sample__steps=most + 1))[0].startswith("mine.yaml:10: sample.steps: ")
    assert reading.parse(study(sample__sampler=sampler, sample__steps=most), "mine.yaml")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"seeds": [-1]}, "seeds.0"),
        ({"sample__guided_channels": 5}, "sample.guided_channels"),
        ({"sample__guidance_interval": [999, 0]}, "sample.guidance_interval"),
        ({"sample__scale": float("inf")}, "sample.scale"),
        ({"train__lr": float("inf")}, "train.lr"),
        ({"methods": {"full": {"lr": float("nan")}}}, "methods.full"),
    ],
)
def test_numbers_out_of_bounds_are_refused_when_the_study_is_read(changes, key):
    assert any(f": {key}" in line for line in told(study(**changes)))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"sweep": [1e-4, 1e-3]}, "5: methods: full.sweep: give settings and their values"),
        ({"sweep": {}}, "5: methods: full.sweep: give settings and their values"),
        ({"sweep": {"lr": 1e-3}}, "5: methods: full.sweep: give settings and their values"),
        ({"sweep": {"lr": []}}, "5: methods: full.sweep: give settings and their values"),
        ({"lr": 1e-4, "sweep": {"lr": [1e-3]}}, "5: methods: full.sweep: give settings and their values, not set else"),
        ({"sweep": {"lr": [1e-3, 0.001]}}, "5: methods: full.sweep: gives 'full-lr-0.001' twice"),
        ({"sweep": {"lr": [1e-3, -1.0]}}, "6: methods.full-lr--1: lr"),
        ({"sweep": {"lr": [1e-3, "fast"]}}, "6: methods.full-lr-fast: lr"),
        ({"sweep": {"lr": [1e-3, float("nan")]}}, "6: methods.full-lr-nan: lr"),
        ({"sweep": {"rate": [1e-3]}}, "6: methods.full-rate-0.001: rate: unknown key"),
        ({"sweep": {"embedder": ["flat", "round"]}}, "6: methods.full-embedder-round: embedder"),
    ],
)
def test_a_sweep_of_settings_is_refused_with_its_entry_when_the_study_is_read(entry, said):
    lines = told(study(methods={"full": entry}))
    assert any(line.startswith(f"mine.yaml:{said}") for line in lines), lines


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ({"ful": [1.0]}, "sample.sweep.ful: no such entry in methods (did you mean full?)"),
        ({"full": [-1.0]}, "sample.sweep"),
        ({"full": [float("inf")]}, "sample.sweep"),
        ([1.0, True], "sample.sweep"),
        ("1.0, 2.0", "sample.sweep"),
    ],
)
def test_a_sweep_of_guidance_is_refused_when_the_study_is_read(sweep, said):
    assert any(line.startswith(f"mine.yaml:9: {said}") for line in told(study(sample__sweep=sweep)))


# Values of pictures.


def deep(path: Path, largest: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.linspace(0, largest, 1600).reshape(40, 40).astype(np.uint16)).save(path)


def test_twelve_bits_in_sixteen_are_asked_for_and_then_keep_their_brightness(project):
    for label in range(4):
        for number in range(5):
            deep(project / f"cells/{label}/{number}.png", 4095)
    with pytest.raises(ValueError, match=r"cells/0/0\.png and 19 more: 16-bit values that end at 4095: .*bits: 12"):
        folder.index(folder.Settings("cells"), None)
    settings = folder.Settings("cells", bits=12)
    read = folder.read(folder.index(settings, None), 16, settings, None)
    assert read.mean() == pytest.approx(255 / 2, abs=2) and read.max() > 240


def test_sixteen_bits_are_not_asked_for(project):
    deep(project / "cells/0/0.png", 60000)
    deep(project / "cells/0/1.png", 3000)
    assert len(folder.index(folder.Settings("cells"), None)) == 2


def test_values_beyond_the_range_that_was_told_are_refused(tmp_path):
    deep(tmp_path / "a.png", 5000)
    assert "beyond the 4095 of 12 bits" in pictures.look((tmp_path / "a.png").read_bytes(), 12).fault


def deep_colour(path: Path, largest: int) -> None:
    """Write a PNG of 16-bit colours, which Pillow reads and does not write (the format's own four chunks)."""
    values = np.linspace(0, largest, 40 * 40 * 3).reshape(40, 40, 3).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)  # each with filter 0
    head = struct.pack(">IIBBBBB", 40, 40, 16, 2, 0, 0, 0)
    chunks = {b"IHDR": head, b"IDAT": zlib.compress(rows), b"IEND": b""}
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, content in chunks.items():
            sum_ = zlib.crc32(name + content)
            file.write(struct.pack(">I", len(content)) + name + content + struct.pack(">I", sum_))


def test_dark_colours_of_sixteen_bits_are_asked_for_and_never_guessed(project):
    for number in range(5):
        deep_colour(project / f"night/0/{number}.png", 4095)
    with pytest.raises(ValueError, match=r"night/0/0\.png and 4 more: 16-bit values that end at 3855: .*colour to 8"):
        folder.index(folder.Settings("night"), None)
    with pytest.raises(
        ValueError, match=r"night/0/0\.png: .*only 8 bits can be read, and not 12: convert it to 8 bits"
    ):
        folder.index(folder.Settings("night", bits=12), None)
    assert len(folder.index(folder.Settings("night", bits=16), None)) == 5  # as they are
    deep_colour(project / "night/0/5.png", 65535)
    folders.content.cache_clear()
    rows = folder.index(folder.Settings("night"), None)  # one bright picture tells the range
    assert folder.read(rows, 16, folder.Settings("night"), None)[-1].mean() == pytest.approx(255 / 2, abs=2)


# Names.


def test_blanks_at_the_ends_of_names_do_not_count_and_other_spellings_are_told(tmp_path):
    file = tmp_path / "birds.csv"
    file.write_text("class_name,superclass\nplover,waders\ncurlew,waders \n robin ,songbirds\n", encoding="utf-8")
    asked = ["curlew", "plover", "robin"]
    assert taxonomy_file.superclasses(file, "superclass", asked) == ["waders", "waders", "songbirds"]
    file.write_text("class_name,superclass\nplover,waders\ncurlew,Waders\nrobin,songbirds\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"birds\.csv: superclass: 'waders' and 'Waders' differ only in"):
        taxonomy_file.superclasses(file, "superclass", asked)


def test_names_in_another_unicode_form_are_found(tmp_path):
    file = tmp_path / "fish.csv"
    file.write_text("class_name,superclass\nÄsche,salmon\n", encoding="utf-8")  # composed
    assert taxonomy_file.superclasses(file, "superclass", ["A\u0308sche"]) == ["salmon"]  # as a Mac's folders have it
    assert names.alike(["Äsche", "A\u0308sche", "Barsch"]) == [["Äsche", "A\u0308sche"]]


@pytest.mark.parametrize("name", ["NA", "null", "nan", "None", "", "1e5", "TRUE"])
def test_names_are_text(tmp_path, name):
    from finefit.hierarchy.superclasses import read_hierarchy

    job = SimpleNamespace(path=tmp_path)
    table = {"class_id": [0], "class_name": [name], "superclass_id": [0], "superclass": [name]}
    pd.DataFrame(table).to_csv(tmp_path / "hierarchy.csv", index=False)
    assert read_hierarchy(job)[["class_name", "superclass"]].iloc[0].tolist() == [name, name]


def test_marks_that_nobody_sees_do_not_tell_names_apart(tmp_path):
    file = tmp_path / "birds.csv"
    file.write_text("class_name,superclass\nplover,waders\ncurlew,wad\u00aders\u200b\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"superclass: 'waders' and 'wad\\xaders\\u200b' differ only in"):
        taxonomy_file.superclasses(file, "superclass", ["plover", "curlew"])


def test_a_class_is_asked_for_in_any_spelling_that_is_its_own_alone():
    classes = ["Äsche", "robin", "Robin", "church, indoor"]
    asked = ["A\u0308SCHE", "robin", "Robin", " church,  indoor"]
    assert names.ids_of(asked, classes) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"no class 'ROBIN' \(did you mean robin\?\)"):  # of two
        names.ids_of(["ROBIN"], classes)
    with pytest.raises(ValueError, match=r"no class 'robins' \(did you mean robin\?\): the data set has Äsche, robin"):
        names.ids_of(["robins"], classes)


def test_a_name_with_a_comma_can_be_asked_for():
    from finefit.commands import split

    assert split('beach, "church, indoor"') == ["beach", "church, indoor"]


# Tables that a spreadsheet rewrote.


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name;bytes\nx;1\n", r"t\.csv:1: no column name, bytes: cells are separated by ';'; save it with commas"),
        (b"name\tbytes\nx\t1\n", r"t\.csv:1: no column name, bytes: cells are separated by '\\t'"),
        ("name,bytes\nFlu\xdf,1\n".encode("latin-1"), r"t\.csv: not in UTF-8"),
        (b"name,bytes\nx,1,2\n", r"t\.csv:2: has 3 cells, but the head 2"),
        (b"name,bytes\nx\n", r"t\.csv:2: has 1 cells"),
        (b"", r"t\.csv: is empty"),
        (b"name,name,bytes\n", r"'name' heads two columns"),
        (b"PK\x03\x04" + bytes(40), r"t\.csv: in a spreadsheet's own format; save it as CSV"),
    ],
)
def test_a_table_that_a_spreadsheet_rewrote_is_read_or_refused_with_its_line(tmp_path, content, said):
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=said):
        tables.read(file, ("name", "bytes"))


def test_a_byte_order_mark_and_empty_rows_are_no_fault(tmp_path):
    (tmp_path / "t.csv").write_text("\ufeffname,bytes,\r\nx,1,\r\n,,\r\n", encoding="utf-8")
    found = tables.read(tmp_path / "t.csv", ("name", "bytes"))
    assert found.rows == [{"name": "x", "bytes": "1"}] and found.lines == [2]


def test_a_number_that_a_spreadsheet_rewrote_is_named(project):
    table = Path("data/sources.csv").read_text(encoding="utf-8").splitlines()
    row = dict(zip(table[0].split(","), table[1].split(","), strict=False))
    Path("data/sources.csv").write_text(
        "\n".join([table[0], table[1].replace(row["bytes"], "1E+09")]), encoding="utf-8"
    )
    sources.table.cache_clear()
    with pytest.raises(ValueError, match=r"data/sources\.csv:2: bytes: '1E\+09' is no whole number"):
        sources.table()


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"checksum": "SHA256:00"}, r"3: checksum: 'SHA256:00' is none; write sha256: or md5:"),
        ({"checksum": ""}, r"3: checksum: '' is none"),
        ({"name": "first"}, r"3: name: 'first' stands there already"),
        ({"bytes": "1.234.567"}, r"3: bytes: '1\.234\.567' is no whole number"),
    ],
)
def test_a_row_of_sources_that_a_spreadsheet_rewrote_is_named(project, cells, said):
    row = {"name": "second", "file": "a.zip", "url": "", "bytes": "1", "checksum": "md5:00", "licence": "", "terms": ""}
    lines = [",".join(row), ",".join((row | {"name": "first"}).values()), ",".join((row | cells).values())]
    Path("data/sources.csv").write_text("\n".join(lines), encoding="utf-8")
    sources.table.cache_clear()
    with pytest.raises(ValueError, match=rf"data/sources\.csv:{said}"):
        sources.table()


@pytest.mark.parametrize(
    ("row", "said"),
    [("cpu,read,pictures/s,0,1,2,measured,x", r":2: rates are numbers above 0"), ("", ": no row for hardware 'cpu'"),
     ("cpu,read,pictures/s,12 000,1,2,measured,x", r":2: rate: '12 000' is no number")],
)  # fmt: skip
def test_rates_that_a_spreadsheet_rewrote_are_named(tmp_path, monkeypatch, row, said):
    file = tmp_path / "rates.csv"
    file.write_text(f"hardware,work,unit,rate,low,high,basis,how\n{row}\n")
    monkeypatch.setattr(rates, "TABLE", file)
    rates.known.cache_clear()
    with pytest.raises(ValueError, match=rf"rates\.csv{said}"):
        rates.find("cpu", "read")
    rates.known.cache_clear()


def test_samples_too_few_for_what_they_train_are_refused_when_the_study_is_read():
    """Of 12 training pictures of a class ten samples each are 120."""
    asked = {"steps": 2, "ratios": [1, 10]}
    lines = told(study(evaluate__utility=asked | {"per_class": 119}))
    assert any(": evaluate.utility.per_class: 119 samples of a class: 10 for each" in line for line in lines)
    assert reading.parse(study(evaluate__utility=asked | {"per_class": 120}), "mine.yaml")


def test_values_by_seed_that_a_spreadsheet_rewrote_are_refused(tmp_path):
    from finefit.analysis import kept

    for content, said in (("entry;seed\nfull;0\n", ":1: no column entry"), ("", ": not readable as CSV"),
                          ("entry,seed\na,b,c,d\ne\n,,,,,\n", ": not readable as CSV")):  # fmt: skip
        (tmp_path / "seeds.csv").write_text(content)
        with pytest.raises(ValueError, match=rf"seeds\.csv{said}.*; restore the kept report"):
            kept.table(tmp_path / "seeds.csv", ["entry"])


# Paths: what is no content, links, names, other folders, other disks, other users.


def test_what_a_mac_packs_beside_every_file_is_no_content(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("set/list/1.txt", "x")
        for junk in ("__MACOSX/set/list/._1.txt", "__MACOSX/set/._inner.tar.gz", "set/.DS_Store"):
            file.writestr(junk, "junk")
    archives.unpack(tmp_path / "a.zip", tmp_path / "out")
    assert [p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()] == [
        "set/list/1.txt"
    ]
    (tmp_path / "out/__MACOSX/list").mkdir(parents=True)  # unpacked by hand
    assert only(tmp_path / "out", "**/list").parent.name == "set"


def test_links_and_names_that_lead_nowhere_are_told_with_their_paths(project):
    photographs(project / "mine")
    (project / "mine/class 0/gone.jpg").symlink_to("nowhere.jpg")
    (project / "mine/class 1/self.jpg").symlink_to("self.jpg")
    (project / "mine/class 2/up").symlink_to(project / "mine")
    with open(os.fsencode(project / "mine/class 3") + b"/caf\xe9.jpg", "wb") as file:
        file.write(b"x")
    lines = "\n".join(told(of_folder("mine")))
    for said in ("class 0/gone.jpg: a link that leads nowhere, to nowhere.jpg", "class 1/self.jpg: ",
                 "class 2/up: a link that leads back", r"class 3/caf\xe9.jpg: its name is not in UTF-8"):  # fmt: skip
        assert f"mine.yaml:4: data.mine: mine/{said}" in lines


def test_a_pipe_among_the_pictures_is_told_and_not_waited_for(project):
    photographs(project / "mine")
    os.mkfifo(project / "mine/class 0/a.jpg")
    assert told(of_folder("mine")) == ["mine.yaml:4: data.mine: mine/class 0/a.jpg: is no file; remove it"]


def test_a_command_from_another_folder_says_where_the_project_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sources.table.cache_clear()
    with pytest.raises(ValueError, match=f"this is no FineFit project; cd {ROOT} and repeat"):
        sources.table()


def write_one(job: Job, out: Path, scratch: Path) -> None:
    (out / "a.txt").write_text("a")


@pytest.mark.parametrize(
    "command",
    ["export-base no/x.safetensors", "export runs/x no/x.pt", "import a.pt no/x.safetensors --as runs/x",
     "fit-codec no/x.safetensors", "new mine --out no/x.yaml"],
)  # fmt: skip
def test_a_file_for_a_missing_folder_is_refused_before_anything_is_computed(project, command):
    from typer.testing import CliRunner

    from finefit.commands.app import app

    error = CliRunner().invoke(app, command.split()).exception
    assert re.fullmatch(rf"no/x\.\w+: there is no folder {project}/no; make it first", faults.expected(error))


def test_publishing_crosses_disks(tmp_path, monkeypatch):
    """/dev/shm is a disk of its own on any Linux."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    monkeypatch.chdir(tmp_path)
    away = shared / f"finefit-{os.getpid()}"
    away.mkdir()
    try:
        Path("scratch").symlink_to(away)
        job = Job("data", "toy", {"number": 1})
        store.produce(job, write_one)
        assert store.check(job)["files"].keys() == {"a.txt"}
        assert [path.name for path in job.path.parent.iterdir()] == [job.path.name] and not list(away.glob("*/out"))
    finally:
        import shutil

        shutil.rmtree(away)


def test_errors_of_the_system_say_what_and_what_to_do(tmp_path, monkeypatch):
    locked = tmp_path / "a.lock"
    locked.touch()
    denied = faults.line(PermissionError(errno.EACCES, "Permission denied", str(locked)))
    assert denied.startswith(f"{locked}: {locked} belongs to ") and "chmod -R g+w" in denied and "\n" not in denied
    monkeypatch.chdir(tmp_path)
    Path("scratch/studies").mkdir(parents=True)
    denied = faults.line(PermissionError(errno.EACCES, "Permission denied", "scratch/studies/a.yaml"))
    assert denied.endswith("run `chmod -R g+w scratch`")  # of all, not of one file after the other
    Path("runs").symlink_to("nowhere")
    with pytest.raises(FileExistsError) as raised:
        Path("runs").mkdir(exist_ok=True)
    assert "runs: a file, or a link that leads nowhere, stands where a folder is needed" in faults.line(raised.value)
    gone = faults.line(FileNotFoundError(errno.ENOENT, "No such file or directory", "no/a.csv"))
    assert gone == f"no/a.csv: there is no folder {tmp_path}/no; make it first"
    assert "read-only" in faults.line(OSError(errno.EROFS, "Read-only file system", "scratch"))
    for error in (
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("[enforce fail] . unexpected pos 1 vs 2"),
    ):
        assert "its disk is full; free some and repeat" in faults.line(error)


# Files that were cut off.


def test_a_state_that_was_cut_off_is_put_aside(tmp_path, capsys):
    torch.save({"step": 3}, tmp_path / "state.pt")
    content = (tmp_path / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(content[: len(content) // 2])
    assert states.read(tmp_path / "state.pt", {"step": 0}) is None
    assert "state.pt: cut off" in capsys.readouterr().err
    assert (tmp_path / "state.damaged").exists() and not (tmp_path / "state.pt").exists()


def test_a_shard_that_was_cut_off_is_encoded_anew(tmp_path, pictures, capsys):
    from finefit.codecs import patch_pca
    from finefit.latents.encode import pack

    def encode(target: Path) -> bytes:
        codec = patch_pca.load(ROOT / "data/base/patch-pca-2.safetensors")
        pack(target, lambda start, stop: pictures[start:stop], np.repeat(np.arange(4), 4), codec)
        return (target / "latents-00000.npy").read_bytes()

    whole = encode(tmp_path / "pack")
    (tmp_path / "pack/latents-00000.npy").write_bytes(whole[:-100])
    assert encode(tmp_path / "pack") == whole
    assert "latents-00000.npy: cut off" in capsys.readouterr().err


def test_a_provenance_that_was_cut_off_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = Job("data", "toy", {"number": 1})
    store.produce(job, write_one)
    job.marker.write_text(job.marker.read_text()[:40])
    with pytest.raises(ValueError, match=rf"{job.marker}: damaged .*; delete {job.path} and repeat"):
        store.check(job)


def test_a_delta_that_was_cut_off_is_named(tmp_path):
    from finefit.deltas.delta import load_delta, save_delta

    file = tmp_path / "delta.safetensors"
    save_delta(file, {"x": torch.ones(4)}, {}, None)
    whole = file.read_bytes()
    for content in (whole[:-3], whole[:5], b""):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"delta\.safetensors: no delta, or cut off .*; delete .* and repeat"):
            load_delta(file, None, None)
    save_file({"x": torch.ones(4)}, file)  # whole, and no delta
    with pytest.raises(ValueError, match=r"delta\.safetensors: no delta"):
        load_delta(file, None, None)


def test_seconds_that_a_kill_cut_off_are_counted_anew(tmp_path):
    assert progress.earlier_seconds(tmp_path) == 0
    progress.keep_seconds(tmp_path, 2.5)
    assert progress.earlier_seconds(tmp_path) == 2.5
    (tmp_path / "seconds").write_text("")
    assert progress.earlier_seconds(tmp_path) == 0


def test_a_folder_of_generated_pictures_whose_record_was_cut_off_is_named(tmp_path):
    from finefit.export import pictures as generated

    (tmp_path / generated.MADE).write_text('{"run": "ru')
    with pytest.raises(ValueError, match=rf"{generated.MADE}: damaged .*; delete it if the pictures are of runs/a, or"):
        generated.claim(tmp_path, {"run": "runs/a"})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("- id: a\n\tpaper: b\n", r"claims\.yaml:2: not readable as YAML: .*indent with blanks"),
        ("a: 1\n", r"claims\.yaml: claim "),
        ("- 3\n", r"claims\.yaml: claim 0: "),
        ("", r"claims\.yaml: claim "),
    ],
)
def test_a_ledger_of_claims_with_faults_is_named(tmp_path, content, said):
    from finefit.claims import verdicts

    (tmp_path / "claims.yaml").write_text(content)
    with pytest.raises(ValueError, match=said):
        verdicts.read(tmp_path / "claims.yaml")


def test_a_record_of_dvc_with_a_conflict_is_named_before_anything_is_called_unused(project):
    Path("dvc.lock").write_text("stages:\n<<<<<<< HEAD\n  data: {}\n=======\n")
    with pytest.raises(ValueError, match=r"dvc\.lock:\d: not readable as YAML"):
        prune.unused([])
    Path("dvc.lock").write_text("")
    assert prune.unused([]) == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a pointer of git LFS"),
        ("a.safetensors", b"<html>", "no checkpoint that can be read safely, or cut off"),
        ("a.pt", b"<html>", "no checkpoint that can be read safely, or cut off"),
        ("a.pt", b"", "no checkpoint that can be read safely, or cut off"),
    ],
)
def test_a_checkpoint_that_is_none_says_what_it_is(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}: .*{said}"):
        checkpoint.read(tmp_path / name)


@pytest.mark.parametrize("zipped", [True, False], ids=["today's form", "the form before 1.6"])
def test_checkpoints_of_either_form_are_read_and_wrappers_names_taken_off(tmp_path, zipped):
    content = {"state_dict": {"module._orig_mod.blocks.0.weight": torch.ones(2)}}
    torch.save(content, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    assert checkpoint.read(tmp_path / "a.pt")["blocks.0.weight"].tolist() == [1, 1]


# Failed jobs and bugs.


def test_a_failed_job_leaves_its_reason_until_it_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = Job("data", "toy", {"number": 1})

    def fails(job, out, scratch):
        raise ValueError("toy.csv:3: what was found; what to do")

    fails.__globals__["__name__"] = "finefit.test"  # raised by our own code
    with pytest.raises(ValueError):
        store.produce(job, fails)
    assert store.failure(job) == "toy.csv:3: what was found; what to do"
    store.produce(job, write_one)
    assert store.failure(job) == ""


def test_what_is_made_from_an_unfinished_run_says_so(project):
    from typer.testing import CliRunner

    from finefit.commands import networks

    (project / "mine.yaml").write_text(yaml.safe_dump(study(methods={"full": {}}), sort_keys=False))
    (run,) = Plan(reading.load(Path("mine.yaml"))).kind("finetune")
    for command in (["export-base", "new.safetensors"], ["export", str(run.path), "new.pt"],
                    ["export", str(run.path), "new", "--to", "diffusers"]):  # fmt: skip
        error = CliRunner().invoke(networks.app, [*command, "--study", "mine.yaml"]).exception
        assert faults.expected(error) == f"{run.path}: not made yet; run `snakemake {run.marker}` first"
    assert not list(project.glob("*new*"))


def test_a_bug_is_one_line_with_its_traceback_in_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        np.stack([])  # a library's ValueError is a bug of ours
    except ValueError as error:
        line = faults.line(error)
    (file,) = Path("logs/bugs").iterdir()
    assert (
        "\n" not in line
        and line.startswith("a bug of FineFit: ValueError: need at least one array")
        and str(file) in line
    )
    assert file.read_text().startswith("Traceback") and "np.stack([])" in file.read_text()


def test_the_report_tells_a_failed_run_from_a_pending_one(made_up_study):
    import shutil

    from finefit.analysis.collect import Results
    from finefit.report import tables as shown

    plan = made_up_study
    run = next(job for job in plan.kind("finetune") if "/flat-s0" in job.name)
    for job in plan.jobs:
        if job is run or run in (*job.inputs.values(), *(b for a in job.inputs.values() for b in a.inputs.values())):
            shutil.rmtree(job.path, ignore_errors=True)
    store.note_failure(store.SCRATCH / run.digest, MemoryError("no more"))
    found = Results(plan)
    states = found.evaluations.groupby("entry")["state"].agg(list)
    assert states["flat"] == ["failed", "done"] and set(states["full"]) == {"done"}
    assert "failed: out of memory (no more)" in shown.results(found).data


def test_a_measure_without_a_value_is_a_dash_with_its_reason(made_up_study):
    from finefit.analysis.collect import Results
    from finefit.report import tables as shown

    reason = "no class has two pictures, so there is no pair to measure"
    for job in made_up_study.kind("evaluate"):
        file = job.path / "metrics.json"
        content = json.loads(file.read_text()) | {"diversity_probe": None, "absent": {"diversity_probe": reason}}
        file.write_text(json.dumps(content))
    (reference,) = made_up_study.kind("reference")
    file = reference.path / "reference.json"
    content = json.loads(file.read_text()) | {"diversity_probe_real": None, "absent": {"diversity_probe_real": reason}}
    file.write_text(json.dumps(content))
    page = shown.results(Results(made_up_study)).data
    assert page.count(f"–<small>{reason}</small>") == 1 + len(Results(made_up_study).main)


# Studies that ran here.


def test_prune_knows_every_study_that_ran_here(project):
    file = project / "mine.yaml"
    file.write_text(yaml.safe_dump(study(), sort_keys=False))
    plan = Plan(reading.load(file))
    job = plan.kind("data")[0]
    store.produce(job, write_one)
    assert prune.unused(prune.studies([])) == [job.path]
    snapshots.keep(plan.study, Path("mine.yaml"))
    assert prune.unused(prune.studies([])) == []
    file.unlink()  # of a file that is gone, what it last was
    assert prune.unused(prune.studies([])) == []


def test_prune_deletes_only_after_a_yes(project):
    from typer.testing import CliRunner

    from finefit.commands import study as commands

    (project / "mine.yaml").write_text(yaml.safe_dump(study(), sort_keys=False))
    plan = Plan(reading.load(project / "mine.yaml"))
    job = plan.kind("data")[0]
    store.produce(job, write_one)

    def said(*options: str, answer: str | None = None) -> tuple[int, str]:
        done = CliRunner().invoke(commands.app, ["prune", *options], input=answer)
        return done.exit_code, done.output

    code, text = said()
    assert code == 0 and str(job.path) in text and "`finefit prune --delete` asks" in text and job.marker.exists()
    for answer in ("n\n", "\n", ""):  # no, just a return, nobody there to answer
        code, text = said("--delete", answer=answer)
        assert "Delete them? [y/N]" in text and "deleted" not in text and job.marker.exists()
    assert text.index(str(job.path)) < text.index("Delete them?") and code == 1
    code, text = said("--delete", answer="y\n")
    assert code == 0 and text.endswith("deleted\n") and not job.path.exists()
    assert "Delete them?" not in said("--delete")[1]  # nothing is left to ask about


def test_a_study_with_tabs_is_refused_with_its_line(tmp_path):
    file = tmp_path / "tabs.yaml"
    file.write_text("name: x\ntrain:\n\tsteps: 3\n")
    with pytest.raises(ValueError, match=r"tabs\.yaml:3: not readable as YAML: .*indent with blanks, not with tabs"):
        reading.load(file)


@pytest.mark.workflow
def test_a_study_with_tabs_stops_both_engines_before_any_job(tmp_path):
    """With its line where we read it first; a --configfile Snakemake reads before us, and speaks of tabs."""
    from clones import clone_here

    clone = clone_here(tmp_path)
    tabs = "name: x\ntrain:\n\tsteps: 3\n"
    (clone.root / "params.yaml").write_text(tabs)
    (clone.root / "mine.yaml").write_text(tabs)
    said = "params.yaml:3: not readable as YAML: found character '\\t' that cannot start any token; indent with blanks"
    assert said in clone("snakemake", ok=False)
    assert said in clone("finefit", "plan", ok=False)
    assert "tab indentation" in clone("snakemake", "--configfile", "mine.yaml", ok=False)


def test_the_command_line_ends_in_one_line_and_code_1(tmp_path):
    code = "import sys; from finefit import cli; sys.argv = ['finefit', 'plan', 'none.yaml']; cli.main()"
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr == "finefit: none.yaml: no such study file; studies are params.yaml and studies/*.yaml\n"
