"""Superclasses: the source's, another rank of its lineages, the user's, or derived from the pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from layouts import picture
from sklearn.metrics import adjusted_rand_score

from finefit.data import folders, sources
from finefit.datasets import embedded
from finefit.hierarchy import clustered, index, superclasses
from finefit.jobs import store
from finefit.study import reading
from finefit.study.plan import Plan

ROOT = Path(__file__).parents[1]
FISH = "class_name,superclass,order,note\nZander,perch,Perciformes,\nÄsche,salmon,Salmoniformes,x\n"


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """An empty project whose sources table is the real one, with fish in folders."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/sources.csv").write_text((ROOT / "data/sources.csv").read_text())
    sources.table.cache_clear()
    folders.content.cache_clear()
    for name in ("Zander", "Äsche"):
        for number in (1, 2):
            picture(Path("fish") / name / f"{number}.jpg")
    Path("fish.csv").write_text(FISH)
    yield
    sources.table.cache_clear()


def planned(**data) -> Plan:
    """The smoke study on one data set; keys are those of its section."""
    study = yaml.safe_load((ROOT / "studies/smoke.yaml").read_text())
    study["data"] = {"here": {"resolutions": [32]} | data}
    return Plan(reading.parse(study, "here.yaml"))


def made(plan: Plan) -> tuple[pd.DataFrame, Path]:
    """The hierarchy that its jobs make."""
    for kind, build in (("data", index.build), ("hierarchy", superclasses.build)):
        store.produce(plan.kind(kind)[0], build)
    path = plan.kind("hierarchy")[0].path
    return pd.read_csv(path / "hierarchy.csv"), path


FOLDER = {"reader": "folder", "options": {"path": "fish", "test_every": 2}}


def test_from_the_source():
    plan = planned(reader="embedded", options={"classes": 16, "train_per_class": 1, "test_per_class": 1})
    assert plan.kind("hierarchy")[0].settings == {"superclass": "source"}
    table, _ = made(plan)
    true = embedded.taxonomy(embedded.Settings(classes=16), None)
    assert table["superclass"].tolist() == true["superclass"].tolist()
    assert table["superclass_id"].tolist() == [*range(8)] * 2


def test_from_the_users_file():
    table, _ = made(planned(**FOLDER, taxonomy="fish.csv"))
    assert dict(zip(table["class_name"], table["superclass"], strict=True)) == {"Zander": "perch", "Äsche": "salmon"}


def test_the_rank_is_a_setting():
    table, _ = made(planned(**FOLDER, taxonomy="fish.csv", hierarchy="order"))
    assert table["superclass"].tolist() == ["Perciformes", "Salmoniformes"]


def test_an_edited_file_is_another_hierarchy():
    before = planned(**FOLDER, taxonomy="fish.csv").kind("hierarchy")[0].digest
    Path("fish.csv").write_text(FISH.replace("perch", "pikeperch"))
    assert planned(**FOLDER, taxonomy="fish.csv").kind("hierarchy")[0].digest != before


def test_classes_without_a_row_or_value_are_all_told():
    Path("fish.csv").write_text("class_name,superclass\nZander,\nPike,pike\nPike,pike\n")
    with pytest.raises(ValueError) as raised:
        made(planned(**FOLDER, taxonomy="fish.csv"))
    told = str(raised.value)
    assert all(line in told for line in ("appears twice: Pike", "for: Zander", "for: Äsche")) and "fish.csv" in told


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (FOLDER | {"taxonomy": "none.csv"}, "none.csv: no such table"),
        (FOLDER | {"taxonomy": "fish.csv", "hierarchy": "orders"}, r"use one of .*order.*\(did you mean order\?\)"),
        (FOLDER | {"hierarchy": "source"}, "hierarchy is 'source': use one of derived"),
        ({"reader": "inat2021_mini", "hierarchy": "genera"}, "use one of source, kingdom, .* genus"),
        ({"reader": "food101", "hierarchy": "source"}, "use one of derived"),
    ],
)
def test_wrong_settings_are_told_with_their_key(section, said):
    with pytest.raises(ValueError, match=rf"here\.yaml:\d+: data\.here: .*{said}"):
        planned(**section)


def test_default_is_the_sources_own_where_there_is_one():
    wanted = {"inat2021_mini": "source", "vegfru": "source", "food101": "derived", "flowers102": "derived"}
    for reader, superclass in wanted.items():
        assert planned(reader=reader).kind("hierarchy")[0].settings["superclass"] == superclass
    for name in ("Karpfen", "Hecht"):
        for number in (1, 2):
            picture(Path("more") / name / f"{number}.jpg", (200, 30, 40 * number))
            picture(Path("more") / f"{name} 2" / f"{number}.jpg", (30, 200, 40 * number))
    of_four = planned(reader="folder", options={"path": "more", "test_every": 2})
    derived = of_four.kind("hierarchy")[0].settings
    assert derived["superclass"] == "derived" and derived["judge"] == derived["weights"]["name"] == "efficientnet-lite1"
    assert planned(**FOLDER, taxonomy="fish.csv").kind("hierarchy")[0].settings["superclass"] == "source"


def test_derived_superclasses_are_mostly_the_true_ones_and_say_that_they_are_derived():
    """0.82 for 64 classes of eight shapes; a grouping at random is at 0."""
    plan = planned(
        reader="embedded", options={"classes": 64, "train_per_class": 4, "test_per_class": 1}, hierarchy="derived"
    )
    table, path = made(plan)
    true = embedded.taxonomy(embedded.Settings(classes=64), None)["superclass"]
    assert adjusted_rand_score(true, table["superclass"]) > 0.7
    assert table["superclass"].str.startswith("looks like ").all()
    found_by = json.loads((path / "hierarchy.json").read_text())
    assert found_by["source"] == "derived" and found_by["superclasses"] == table["superclass"].nunique() == 8
    first = (path / "hierarchy.csv").read_bytes(), (path / "hierarchy.json").read_bytes()
    for file in path.iterdir():
        file.unlink()
    path.rmdir()
    assert made(plan)[0].equals(table)
    assert first == ((path / "hierarchy.csv").read_bytes(), (path / "hierarchy.json").read_bytes())


def test_too_few_classes_to_derive_from():
    with pytest.raises(ValueError, match="for 4 classes or more; there are 2: give a taxonomy"):
        planned(**FOLDER)


def test_classes_that_look_alike_are_grouped_as_many_as_the_square_root_of_their_number():
    """Nine classes at three corners of a triangle, one with a single picture, one that a trial left without any."""
    corners = np.eye(3)[[0, 0, 0, 0, 1, 1, 1, 2, 2, 2]] + 0.01 * np.random.default_rng(0).normal(size=(10, 3))
    rows = pd.DataFrame({"class_id": [*range(9), *range(8)]})
    names = pd.Series([*"abcdefghij"])
    groups, found_by = clustered.superclasses(rows, names, lambda part: corners[part["class_id"]])
    assert found_by["superclasses"] == 3
    assert len(set(groups[:4])) == len(set(groups[4:7])) == len(set(groups[7:9])) == 1
    assert set(groups) <= {f"looks like {name}" for name in names}
