"""The embedded data set is pure, stable, varied and told apart by its attributes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from finefit.datasets.embedded import Settings, index, read, taxonomy
from finefit.procedural import SUPERCLASSES

SMALL = Settings(train_per_class=4, test_per_class=4)
SOURCE = Settings(domain="source", train_per_class=2, test_per_class=1)


def painted(settings: Settings, resolution: int = 32) -> tuple[pd.DataFrame, np.ndarray]:
    rows = index(settings, None)
    return rows, read(rows, resolution, settings, None)


@pytest.mark.parametrize("settings", [SMALL, SOURCE], ids=["target", "source"])
def test_a_picture_depends_on_its_own_row_only(settings: Settings) -> None:
    rows, pictures = painted(settings)
    shuffled = rows.sample(frac=1, random_state=0)
    assert np.array_equal(read(shuffled, 32, settings, None), pictures[shuffled.index])
    for place in range(0, len(rows), 13):
        assert np.array_equal(read(rows.iloc[[place]], 32, settings, None)[0], pictures[place])


@pytest.mark.parametrize("settings", [SMALL, SOURCE], ids=["target", "source"])
def test_no_picture_occurs_twice_or_is_constant(settings: Settings) -> None:
    rows, pictures = painted(settings)
    assert rows["key"].is_unique
    assert len(np.unique(pictures.reshape(len(rows), -1), axis=0)) == len(rows)  # within and across splits
    assert pictures.std(axis=(1, 2)).max(axis=1).min() > 10
    assert pictures.min() < 20 and pictures.max() > 235


def test_seeds_and_domains_are_unrelated() -> None:
    rows, pictures = painted(SMALL)
    other_rows, other = painted(Settings(train_per_class=4, test_per_class=4, seed=1))
    assert len(rows) == len(other_rows)
    assert (pictures != other).any(axis=(1, 2, 3)).all()


def test_a_class_is_the_same_whatever_their_number() -> None:
    few, many = (taxonomy(Settings(classes=count), None) for count in (16, 100))
    pd.testing.assert_frame_equal(few, many.iloc[:16])
    assert set(few["superclass"].iloc[:8]) == set(SUPERCLASSES)
    rows = index(SMALL, None)
    wider = Settings(classes=100, train_per_class=4, test_per_class=4)
    assert np.array_equal(read(rows, 32, SMALL, None), read(rows, 32, wider, None))


def test_ten_thousand_names_are_unique() -> None:
    names = taxonomy(Settings(classes=10_000), None)["class_name"]
    assert names.is_unique and names.str.replace(" ", "-").is_unique
    assert not names.str.contains("  ").any()


def test_source_has_the_superclasses_and_sixteen_shapes() -> None:
    classes = taxonomy(SOURCE, None)
    assert list(classes["class_name"][:8]) == list(classes["superclass"][:8]) == list(SUPERCLASSES)
    assert (classes["superclass"] == "shape").sum() == 16


@pytest.mark.parametrize("settings", [SMALL, SOURCE], ids=["target", "source"])
def test_the_scene_does_not_depend_on_the_resolution(settings: Settings) -> None:
    rows = index(settings, None).iloc[::5]
    small, large = (read(rows, resolution, settings, None).astype(float) for resolution in (32, 128))
    shrunk = large.reshape(len(rows), 32, 4, 32, 4, 3).mean(axis=(2, 4))
    assert np.abs(shrunk - small).mean(axis=(1, 2, 3)).max() < 5


def test_subclasses_differ_more_than_their_pictures() -> None:
    settings = Settings(train_per_class=16, test_per_class=1)
    rows, pictures = painted(settings)
    rows, pictures = rows[rows["split"] == "train"], pictures[: 16 * 16]
    middle = pictures[:, 8:24, 8:24].mean(axis=(1, 2))  # mean colour where the subject is
    classes = taxonomy(settings, None)
    for superclass, members in classes.groupby("superclass"):
        first, second = (middle[(rows["class_name"] == name).to_numpy()] for name in members["class_name"])
        between = np.linalg.norm(first.mean(0) - second.mean(0))
        within = np.sqrt((first.var(0) + second.var(0)).sum() / 2)
        assert between > within, superclass


def test_rows_of_other_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="train/blob/00000"):
        read(index(SOURCE, None).iloc[16:], 32, SMALL, None)


@pytest.mark.parametrize(
    "wrong", [{"classes": 0}, {"domain": "moon"}, {"train_per_class": 0}, {"seed": -1}, {"seed": 0.5}]
)
def test_bad_settings_are_refused_by_name(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)
