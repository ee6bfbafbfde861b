"""Labelled grids: what is drawn where, and clear words for what is not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image

from finefit.commands import pictures as commands
from finefit.data import letters
from finefit.sampling import grid, networks, runs
from finefit.sampling.trained import untouched
from finefit.study import reading
from finefit.study.plan import Plan

ROOT = Path(__file__).parents[1]


def test_a_grid_shows_every_picture_unsmoothed_at_its_place():
    random = np.random.default_rng(0)
    rows = {name: random.integers(0, 256, (3, 8, 8, 3), np.uint8) for name in ("leaf", "a longer name of a class")}
    sheet = np.asarray(grid.grid(rows, ["one", "two", "three"]))
    side = 96  # eight pixels enlarged twelve times
    enlarged = [picture.repeat(12, 0).repeat(12, 1) for pictures in rows.values() for picture in pictures]
    step, bottom = side + grid.MARGIN, sheet.shape[0] - 2 * (side + grid.MARGIN)
    left = sheet.shape[1] - 3 * step
    for place, picture in enumerate(enlarged):
        top, start = bottom + place // 3 * step, left + place % 3 * step
        np.testing.assert_array_equal(sheet[top : top + side, start : start + side], picture)
    assert (sheet[:bottom] == 0).any(), "the columns have heads"


def test_what_is_not_there_is_named(made_up_study):
    with pytest.raises(ValueError, match="no method 'lora' .* use one of finediffusion, flat, full"):
        grid.pictures(made_up_study, "lora", ["class <1>"], 1, 0)
    with pytest.raises(ValueError, match="--classes: names no class"):
        grid.pictures(made_up_study, "full", [], 1, 0)
    with pytest.raises(ValueError, match="no seed 7 .* it has 0, 1"):
        grid.pictures(made_up_study, "full", ["class <1>"], 1, 7)
    with pytest.raises(ValueError, match="no class 'oak': the data set has class <0>, class <1>"):
        grid.pictures(made_up_study, "full", ["oak"], 1, 0)
    runs.job_of(made_up_study, "full", 0).inputs["run"].marker.unlink()
    with pytest.raises(ValueError, match="not made yet; run `snakemake"):
        grid.pictures(made_up_study, "full", ["class <1>"], 1, 0)


@pytest.fixture
def fresh_letters():
    """Fonts are looked for anew, before and after."""
    caches = (letters.path_of, letters.files, letters.opened)
    for found in caches:
        found.cache_clear()
    yield
    for found in caches:
        found.cache_clear()


def square(side: int):
    """The outline of a filled square."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, side), (side, side), (side, 0)):
        pen.lineTo(corner)
    pen.closePath()
    return pen.glyph()


def font_of(name: str, path) -> str:
    """Write a font that has the letters of a name and no others: squares that grow from letter to letter."""
    glyphs = {".notdef": square(100)} | {f"g{ord(letter)}": square(300 + 40 * n) for n, letter in enumerate(name)}
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([*glyphs])
    builder.setupCharacterMap({ord(letter): f"g{ord(letter)}" for letter in name})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics({glyph: (1000, 0) for glyph in glyphs})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return str(path)


def test_letters_are_those_of_a_font_that_has_them(fresh_letters, monkeypatch, tmp_path):
    """Latin by Pillow's font, Cyrillic by matplotlib's, Chinese by one that is installed, else the class's number."""
    own = letters.files()[0]
    monkeypatch.setattr(letters, "files", lambda: [own, str(tmp_path / "damaged.ttf"), str(tmp_path / "installed.ttf")])
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    assert letters.drawable("curlew", "class 3") == "curlew" and letters.path_of("curlew") == ""
    assert letters.drawable("кроншнеп", "class 3") == "кроншнеп" and letters.path_of("кроншнеп") == own
    assert letters.drawable("鲤鱼", "class 3") == "class 3" and letters.drawable("two\nlines", "class 3") == "class 3"
    letters.path_of.cache_clear()
    assert letters.drawable("鲤鱼", "class 3") == "class 3"
    letters.path_of.cache_clear()
    letters.opened.cache_clear()
    font_of("鲤鱼", tmp_path / "installed.ttf")
    assert letters.drawable("鲤鱼", "class 3") == "鲤鱼" and letters.path_of("鲤鱼").endswith("installed.ttf")
    rows = {name: np.full((1, 8, 8, 3), 255, np.uint8) for name in ("鲤鱼", "class 3")}
    sheet = np.asarray(grid.grid(rows, []))
    assert (sheet[: sheet.shape[0] // 2] == 0).any(), "its letters are drawn"


def test_the_shipped_base_draws_its_own_classes_without_any_job(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    plan = Plan(reading.load(Path("params.yaml")))
    # bfloat16's matrix units round otherwise in another batch
    monkeypatch.setattr(networks, "uses_bfloat16", lambda precision, device: False)
    base = replace(untouched(plan), precision="float32")
    assert len(base.classes) == 1024 + 16, "fine classes and shapes: studies/base.yaml"
    assert base.guidance == ("base",), "it has a null row to be guided away from"
    (drawn,) = base.sample([base.classes[3]], steps=4)
    again, other = base.sample([base.classes[3]] * 2, steps=4)
    assert np.array_equal(drawn, again) and not np.array_equal(drawn, other)
    grid.of_base(plan, [base.classes[3], "ring"], 2, 0, tmp_path / "sheet.png")
    width, height = Image.open(tmp_path / "sheet.png").size
    assert height == 2 * (96 + grid.MARGIN) + grid.MARGIN and width > 2 * 96
    with pytest.raises(ValueError, match="no class 'curlew'"):
        grid.of_base(plan, ["curlew"], 1, 0, tmp_path / "sheet.png")


def test_where_no_seed_is_named_the_first_of_the_study_is_drawn(tmp_path, monkeypatch):
    study = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"seeds": [5, 6]}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    drawn = []
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(grid, "of_method", lambda plan, method, names, count, seed, file: drawn.append(seed))
    monkeypatch.setattr(grid, "of_methods", lambda plan, methods, names, seed, file: drawn.append(seed))
    commands.grid(tmp_path / "a.png", "ring", method="full", study=tmp_path / "study.yaml")
    commands.compare(tmp_path / "a.png", "ring", study=tmp_path / "study.yaml")
    commands.compare(tmp_path / "a.png", "ring", seed=6, study=tmp_path / "study.yaml")
    assert drawn == [5, 5, 6]
