"""Learning rates are chosen by the rule, and a grid that ends too early says so."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml
from made_up import MadeUpScores

from finefit.analysis import kept, tuning
from finefit.analysis.scores import COST, RUN
from finefit.report import tuning as page
from finefit.study import reading

ROOT = Path(__file__).parent.parent
RATES, TABLE = [1e-3, 1e-2, 1e-1], [1.0, 5.0, 25.0]


def curves(best: dict[str, tuple[float, float]]) -> MadeUpScores:
    """Every entry's loss is a parabola over the logarithms of its two rates, with its foot at `best`."""
    content = yaml.safe_load((ROOT / "studies/smoke.yaml").read_text())
    content["methods"] = {
        name: {"sweep": {"lr": RATES, "lr_multipliers": [{"y_embedder": factor} for factor in TABLE]}} for name in best
    } | {"labels": {"lr": 0.1}}
    study = reading.parse(content, "study.yaml")
    rows = []
    for entry in study.methods:
        settings = study.method_settings(entry)
        lr, table = best.get(study.methods[entry].get("method", entry), (0.1, 1.0))
        asked = settings.lr, settings.lr_multipliers.get("y_embedder", 1.0)
        loss = math.log(asked[0] / lr) ** 2 + 0.1 * math.log(asked[1] / table) ** 2
        row = {"group": "embedded-32", "variant": entry, "entry": entry, "guidance": "null", "scale": 1.5, "main": True}
        row |= {"seed": 0, "state": "done"} | dict.fromkeys((*RUN, *COST), math.nan)
        rows.append(row | {"denoising_loss": loss, "fd_probe": -loss})
    found = MadeUpScores(study, pd.DataFrame(rows))
    return MadeUpScores(study, found.evaluations.reindex(columns=dict.fromkeys([*found.evaluations, *found.metrics])))


def test_the_lowest_denoising_loss_decides_and_nothing_else():
    found = curves({"bitfit": (1e-2, 5.0), "difffit": (2e-2, 4.0)})
    best = tuning.chosen(found, "embedded-32").set_index("method")
    assert sorted(best.index) == ["bitfit", "difffit"]  # labels has one rate: nothing to choose
    assert best["lr"].to_dict() == {"bitfit": 1e-2, "difffit": 1e-2}
    assert best["table"].to_dict() == {"bitfit": 5.0, "difffit": 5.0}


@pytest.mark.parametrize(
    "foot, edges", [((1e-2, 5.0), []), ((1.0, 5.0), ["lr"]), ((1e-2, 0.1), ["table"]), ((1e-4, 99.0), ["lr", "table"])]
)
def test_a_choice_at_the_end_of_the_grid_is_told(foot, edges):
    found = curves({"bitfit": foot})
    (_, best), *_ = tuning.chosen(found, "embedded-32").iterrows()
    assert tuning.at_edge(tuning.tried(found, "embedded-32"), best) == edges


@pytest.mark.parametrize("state, failure, edges", [("pending", "", ["lr"]), ("failed", "training diverged", [])])
def test_what_is_still_to_come_was_not_tried_and_what_diverged_was(state, failure, edges):
    whole = curves({"bitfit": (1e-2, 5.0)})
    rows = whole.evaluations.assign(failure="")
    highest = [whole.study.method_settings(entry).lr == max(RATES) for entry in rows["entry"]]
    rows.loc[highest, ["state", "failure", "denoising_loss"]] = state, failure, math.nan
    found = MadeUpScores(whole.study, rows)
    (_, best), *_ = tuning.chosen(found, "embedded-32").iterrows()
    assert (best["lr"], tuning.at_edge(tuning.tried(found, "embedded-32"), best)) == (1e-2, edges)


def test_the_default_study_has_the_rates_that_were_chosen():
    found, mini = kept.read(ROOT / "docs/results/tuning"), reading.load(ROOT / "params.yaml")
    known, best = tuning.tried(found, "embedded-32"), tuning.chosen(found, "embedded-32")
    assert [edges for _, row in best.iterrows() if (edges := tuning.at_edge(known, row))] == []
    rates = {name: mini.settings_of(name) for name in mini.methods}
    asked = {name: (own["lr"], tuning.table_multiplier(own["lr_multipliers"])) for name, own in rates.items()}
    assert asked == {row["method"]: (row["lr"], row["table"]) for _, row in best.iterrows()}


@pytest.mark.parametrize(
    "name, rates, group, entries",
    [
        ("rivals", "rivals-tuning", "embedded-32", 7),
        ("flow", "flow-tuning", "embedded-32", 9),
        ("caltech", "tuning-photo", "grocery-32", 7),
    ],
)
def test_a_study_has_the_rates_that_were_chosen(name, rates, group, entries):
    found, study = kept.read(ROOT / f"docs/results/{rates}"), reading.load(ROOT / f"studies/{name}.yaml")
    known, best = tuning.tried(found, group), tuning.chosen(found, group)
    assert [edges for _, row in best.iterrows() if (edges := tuning.at_edge(known, row))] == []
    for _, row in best.iterrows():
        chosen = row["row"]["entry"].split("-table")[0].split("-lr-")[0]
        asked = [chosen] if chosen in study.methods else [entry for entry in study.methods if entry.startswith(chosen)]
        for entry in asked or [chosen]:  # one rate for every rank of LoRA
            own = study.settings_of(entry)
            assert (own["lr"], tuning.table_multiplier(own["lr_multipliers"])) == (row["lr"], row["table"]), entry
    assert len(best) == entries


@pytest.mark.parametrize(
    "name", ["depth", "factors", "fewshot", "float32", "guidance", "resolution", "shift", "steps", "utility"]
)
def test_the_studies_beside_it_have_the_default_ones_rates(name):
    """A method has one rate wherever it stands; that of `rates` is its question."""
    study, mini = reading.load(ROOT / f"studies/{name}.yaml"), reading.load(ROOT / "params.yaml")
    for entry in study.methods:
        own = study.settings_of(entry)
        asked = mini.settings_of(own["method"])
        assert (own["lr"], own["lr_multipliers"]) == (asked["lr"], asked["lr_multipliers"]), entry


def test_the_tuning_study_is_about_other_classes_and_else_like_the_default_one():
    tuned, mini = (reading.load(ROOT / file) for file in ("studies/tuning.yaml", "params.yaml"))
    ours, theirs = (study.reader_settings("embedded") for study in (mini, tuned))
    assert ours.seed != theirs.seed and replace(theirs, seed=ours.seed) == ours
    same = {"lr"}
    assert tuned.train.model_dump(exclude=same) == mini.train.model_dump(exclude=same)
    assert tuned.base == mini.base and tuned.codec == mini.codec


def test_curves_are_drawn_before_anything_was_sampled(monkeypatch):
    found = curves({"bitfit": (1e-2, 5.0)})
    found.evaluations["fd_probe"] = math.nan
    monkeypatch.setattr(page, "made_from", lambda rows: "")
    assert "<svg" in page.curves(found).data
