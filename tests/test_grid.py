"""Labelled grids: what is drawn where, and clear words for what is not there."""

from __future__ import annotations

import numpy as np
import pytest

from finefit.sampling import grid, runs


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
