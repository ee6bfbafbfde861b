"""Whatever a study file, a folder of pictures, a taxonomy or a table of sources holds: an answer, or a clear error.

`FINEFIT_FUZZ` says how many cases of each (50 unless told, 1,000 by `make test-long`). A failing case is printed with
what reproduces it.
"""

from __future__ import annotations

import dis
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from PIL import Image
from tiny import ROOT

from finefit.data import folders, sources, tables
from finefit.datasets import folder
from finefit.hierarchy import taxonomy_file
from finefit.jobs import faults
from finefit.outlook import forecast
from finefit.study import reading
from finefit.study.plan import Plan

CASES, SEED = int(os.environ.get("FINEFIT_FUZZ", "50")), int(os.environ.get("FINEFIT_FUZZ_SEED", "0"))
SMOKE = yaml.safe_load((ROOT / "studies/smoke.yaml").read_text(encoding="utf-8"))
NAMES = st.one_of(
    st.sampled_from(
        ["a", "b", "NA", "null", "waders", "Waders", "waders ", "church, indoor", "Äsche", "A\u0308sche", "-"]
    ),
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12),
)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-2, 3), st.floats(), st.text(max_size=8), st.dates(),
    st.lists(st.integers(-1, 40), max_size=3), st.dictionaries(st.text(max_size=6), st.integers(), max_size=2),
)  # fmt: skip
KEYS = ODD.filter(lambda key: not isinstance(key, list | dict))


def fuzzed(test):
    """Run a test on `CASES` cases, the same in every run of one seed."""
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    return seed(SEED)(settings(max_examples=CASES, deadline=None, suppress_health_check=checks, database=None)(test))


@pytest.fixture(autouse=True)
def in_root(monkeypatch):
    monkeypatch.chdir(ROOT)
    sources.table.cache_clear()
    print(f"{CASES} cases, seed {SEED}")


def told(check) -> str:
    """The line that a check's error ends in, empty where it raises none; anything but a fault of use fails the test."""
    try:
        check()
    except Exception as error:
        assert faults.expected(error), f"a bug: {type(error).__name__}: {error}"
        assert stated(error) or isinstance(error, OSError), f"told by nobody: {type(error).__name__}: {error}"
        return str(error)
    return ""


def stated(error: BaseException) -> bool:
    """Whether an error comes from a `raise` of ours, and not from a builtin that our code called, as `int("x")`."""
    end = error.__traceback__
    while end.tb_next:
        end = end.tb_next
    return end.tb_frame.f_code.co_code[end.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Paths of all keys of nested mappings."""
    if not isinstance(value, dict):
        return []
    return [place for key, inner in value.items() for place in [(*path, key), *places(inner, (*path, key))]]


@st.composite
def studies(draw) -> dict:
    """The smoke study with a few keys replaced, taken away or added."""
    content = yaml.safe_load(yaml.safe_dump(SMOKE))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(content)))
        inside = content
        for key in path[:-1]:
            inside = inside[key]
        edit = draw(st.sampled_from(["replace", "remove", "add"]))
        if edit == "remove":
            del inside[path[-1]]
        else:
            inside[
                path[-1] if edit == "replace" else draw(ODD.filter(lambda key: not isinstance(key, list | dict)))
            ] = draw(ODD)
        if not places(content):
            break
    return content


@fuzzed
@given(studies())
def test_study_files(content):
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "study.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
        error = told(lambda: list(forecast.lines(Plan(reading.load(file)))))
    assert all(line.startswith(f"{file}") for line in error.splitlines())


@fuzzed
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_files_that_are_no_study(content):
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "study.yaml"
        file.write_bytes(content)
        assert str(file) in told(lambda: reading.load(file))


MODES = ("RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "I;16", "I", "F", "broken", "empty", "text", "link")


def put(path: Path, mode: str, width: int, height: int, value: int) -> None:
    """Write a picture, or something else, of the path's ending."""
    path.unlink(missing_ok=True)
    if mode == "link":
        path.symlink_to("nowhere")
    elif mode in ("broken", "empty", "text"):
        path.write_bytes({"broken": b"\x89PNG\r\n\x1a\n" + bytes(30), "empty": b"", "text": b"hello"}[mode])
    elif mode in ("I;16", "I", "F"):
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        Image.fromarray(np.full((height, width), value * 257, kind)).save(path, "TIFF")
    else:
        Image.new("RGB", (width, height), (value, 0, 0)).convert(mode).save(path, "TIFF")


@fuzzed
@given(
    st.dictionaries(
        st.tuples(NAMES, NAMES),
        st.lists(st.tuples(st.sampled_from(MODES), *[st.integers(1, 9)] * 2), max_size=4),
        max_size=5,
    ),
    st.integers(1, 3),
    st.integers(1, 3),
    st.data(),
)
def test_folders_of_pictures(classes, depth, test_every, data):
    with tempfile.TemporaryDirectory() as place:
        for (above, name), pictures in classes.items():
            below = Path(place, *(["x"] * (depth - 2)), *([above] * (depth > 1)), name)
            if {".", ".."} & {above, name} or len(os.fsencode(name)) > 200:
                continue
            below.mkdir(parents=True, exist_ok=True)
            for number, (mode, width, height) in enumerate(pictures):
                if below.is_dir():
                    put(below / f"{number}.tif", mode, width, height, data.draw(st.integers(0, 255)))
        folders.content.cache_clear()
        section = {"reader": "folder", "resolutions": [32], "options": {"path": place, "test_every": test_every}}

        def read() -> None:
            study = reading.parse(SMOKE | {"data": {"mine": section}}, "study.yaml")
            assert Plan(study).jobs
            chosen = study.reader_settings("mine")
            rows = folder.index(chosen, None)
            assert folder.read(rows, 8, chosen, None).shape == (len(rows), 8, 8, 3)
            assert folder.counts(chosen)[1:] == tuple((rows["split"] == split).sum() for split in ("train", "test"))

        told(read)


@fuzzed
@given(
    st.lists(st.lists(NAMES | st.sampled_from(["class_name", "superclass", ""]), max_size=4), max_size=6),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"]),
)
def test_taxonomies(rows, separator, encoding):
    import csv
    import io

    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([["class_name", "superclass"], *rows])
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "t.csv"
        file.write_bytes(text.getvalue().encode(encoding, "replace"))
        asked = [row[0] for row in rows if row]
        error = told(lambda: taxonomy_file.superclasses(file, taxonomy_file.ranks(file)[0], asked))
        assert all(line.startswith(str(file)) for line in error.splitlines() if line) or "\n" in "".join(asked)


@fuzzed
@given(st.binary(max_size=300))
def test_tables_of_bytes(content):
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "t.csv"
        file.write_bytes(b"name,bytes\n" + content)
        told(lambda: [tables.number(row["bytes"], int, "x") for row in tables.read(file, ("name", "bytes")).rows])


@fuzzed
@given(st.data())
def test_tables_of_sources(data):
    """A few cells of the real table replaced."""
    lines = (ROOT / "data/sources.csv").read_text(encoding="utf-8").splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(lines) - 1))
        cells = lines[number].split(",")
        cells[data.draw(st.integers(0, len(cells) - 1))] = data.draw(NAMES)
        lines[number] = ",".join(cells)
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        file = Path(place) / "sources.csv"
        file.write_text("\n".join(lines), encoding="utf-8")
        patch.setattr(sources, "TABLE", file)
        sources.table.cache_clear()
        told(lambda: list(sources.table().values()))
    sources.table.cache_clear()
