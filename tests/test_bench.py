"""The bench on invented runs beside an invented kept study: the blocks, the machine's share, the rule of rates."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path

import made_up
import numpy as np
import pandas as pd
import pytest
from made_up import ROOT

from finefit.analysis import kept
from finefit.analysis.decisions import verdict
from finefit.analysis.statistics import Estimate
from finefit.bench import asked, rates, site, told
from finefit.bench.beside import Beside
from finefit.jobs import store
from finefit.study import reading
from finefit.study.plan import Plan

SEEDS = [3, 4, 5]
STUDY = {
    "name": "mini",
    "seeds": SEEDS,
    "data": {"embedded": {"resolutions": [32], "options": {"classes": 4, "train_per_class": 4, "test_per_class": 4}}},
    "codec": {"name": "patch_pca", "weights": "codec-patch-pca-2"},
    "base": {"size": "Mini", "patch": 2, "weights": "base-mini-32"},
    "train": {"steps": 2, "batch_size": 2},
    "methods": {"full": {}, "bitfit": {"lr": 0.01}, "labels": {}},
    "sample": {"steps": 2, "per_class": 2, "sweep": {"bitfit": [1.0]}},
    "evaluate": {"probe_steps": 2, "judges": []},
}
MEANS = {"full": 2.0, "bitfit": 3.0, "labels": 4.0}
SIZES = {"full": 4_000_000, "bitfit": 20_000, "labels": 3_000}
BETWEEN = {3: 1.0, 4: -2.0, 5: 0.5}  # what a seed does to all alike
CHANCE = dict(zip([*MEANS, "difffit"], np.random.default_rng(0).normal(0, 0.02, (4, 3)), strict=True))
MACHINE = 0.3


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A kept report of that study; the working directory is a root without any artifact."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for shared in ("data/sources.csv", "data/base", "studies", "params.yaml"):
        (tmp_path / shared).symlink_to(ROOT / shared)
    folder = tmp_path / "docs/results/mini"
    folder.mkdir(parents=True)
    plan = Plan(reading.parse(STUDY, "test"))
    inputs = {str(path): {"digest": job.digest} for path, job in plan.report.inputs.items()}
    record = {"settings": {"study": plan.study.model_dump(mode="json")}, "inputs": inputs}
    record |= {"code": {"commit": "0123456789", "dirty": False}, "hardware": {}, "versions": {}}
    (folder / "provenance-00000000.json").write_text(json.dumps(record))
    rows = [row(entry, seed) for entry in MEANS for seed in SEEDS]
    table = pd.DataFrame(rows).reindex(columns=kept.columns(kept.Kept(folder)))
    table.to_csv(folder / kept.VALUES, index=False)
    return folder


def row(entry: str, seed: int) -> dict:
    """A kept run: its true mean, what the seed does, and chance of its own."""
    one = {"group": "embedded-32", "variant": entry, "entry": entry, "guidance": "null", "scale": 1.5, "main": True}
    one |= {"seed": seed, "state": "done", "trained_parameters": SIZES[entry], "total_parameters": 4_200_000}
    one |= {"trained_share": SIZES[entry] / 4.2e6, "delta_bytes": 4 * SIZES[entry], "train_seconds": 50.0}
    return one | {"fd_probe": value(entry, seed), "class_accuracy": 0.9}


def value(entry: str, seed: int) -> float:
    return MEANS.get(entry, 3.5) + BETWEEN[seed] + CHANCE[entry][SEEDS.index(seed)]


def ran(wanted: asked.Asked, machine: float = MACHINE) -> Beside:
    """Artifacts of every job that the bench reads, on a machine that adds so much to every distance."""
    for job in wanted.plan.jobs:
        scored = job.kind in ("evaluate", "denoise") and job in wanted.jobs
        if not scored and job.kind not in ("finetune", "sample"):
            continue
        job.path.mkdir(parents=True, exist_ok=True)
        run = job.inputs["sample"].inputs["run"] if "sample" in job.inputs else job.inputs.get("run", job)
        entry, seed = run.name.partition("/")[2].rpartition("-s")[0], run.settings["seed"]
        if job.kind == "evaluate":
            scores = {"fd_probe": value(entry, seed) + machine, "class_accuracy": 0.9}
            (job.path / "metrics.json").write_text(json.dumps(scores))
        if job.kind == "denoise":
            (job.path / "denoising.json").write_text(json.dumps({"denoising_loss": 0.07}))
        if job.kind == "finetune":
            size = {"trained_parameters": 30_000, "total_parameters": 4_200_000, "trained_share": 0.007}
            (job.path / "run.json").write_text(json.dumps(size | {"delta_bytes": 120_000}))
        store.write_provenance(job, job.path, 75.0)
    return Beside(wanted)


def test_only_the_method_and_one_kept_run_are_asked_for(folder):
    wanted = asked.asked("difffit", {"lr": 0.02}, folder)
    assert (wanted.entry, wanted.control, wanted.seed) == ("difffit", "bitfit", 3)
    runs = {job.inputs["run"].name for job in wanted.jobs if job.kind == "denoise"}
    assert runs == {f"embedded-32/difffit-s{seed}" for seed in SEEDS} | {"embedded-32/bitfit-s3"}
    assert {job.settings.get("lr") for job in wanted.jobs} == {None}
    trained = {job.name: job.settings for job in wanted.plan.kind("finetune")}
    assert trained["embedded-32/difffit-s4"]["method_settings"]["lr"] == 0.02
    same = Plan(reading.parse(STUDY, "test"))
    assert {job.digest for job in wanted.jobs if "bitfit-s3" in job.name} <= {job.digest for job in same.jobs}


def test_a_method_that_is_kept_runs_again_under_a_name_of_its_own(folder):
    wanted = asked.asked("full", {"lr": 0.5}, folder)
    assert wanted.entry == "full-again"
    assert wanted.plan.study.methods["full-again"] == {"lr": 0.5, "method": "full"}


def test_the_method_is_a_further_row_of_the_kept_blocks(folder):
    found = ran(asked.asked("difffit", {}, folder))
    fit = found.fit("embedded-32", "fd_probe", True)
    assert fit.used.shape == (4, 3)
    assert found.machine("fd_probe") == pytest.approx(MACHINE)
    by_name = {one.other["variant"]: one for one in found.standings(found.rows[0], "fd_probe")}
    assert list(by_name) == ["full", "bitfit", "labels"]
    expected = np.mean([value("difffit", seed) + MACHINE - value("full", seed) for seed in SEEDS])
    assert by_name["full"].difference.mean == pytest.approx(expected)


def test_intervals_are_wider_by_what_the_machine_makes(folder):
    """The method is 0.5 nearer than labels and 0.5 further than BitFit; the machine adds 0.3 to what runs here."""
    found = ran(asked.asked("difffit", {}, folder))
    standing = {one.other["variant"]: one for one in found.standings(found.rows[0], "fd_probe")}
    seen = {name: one.verdict for name, one in standing.items()}
    assert seen == {"full": "higher", "bitfit": "higher", "labels": "not separated"}
    for one in standing.values():
        alone = replace(one.difference, shift=0.0)
        assert one.difference.half == pytest.approx(alone.half + MACHINE)
    quiet = ran(asked.asked("difffit", {"lr": 0.03}, folder), machine=0.0)
    seen = {one.other["variant"]: one.verdict for one in quiet.standings(quiet.rows[0], "fd_probe")}
    assert seen == {"full": "higher", "bitfit": "higher", "labels": "lower"}


def test_without_the_control_no_difference_has_an_interval(folder):
    found = ran(asked.asked("difffit", {}, folder))
    run = found.control_run["job"]
    run.marker.unlink()
    found = Beside(found.asked)
    assert {one.verdict for one in found.standings(found.rows[0], "fd_probe")} == {"no interval"}


def test_what_is_said_names_the_methods(folder):
    lines = told.lines(ran(asked.asked("difffit", {}, folder)))
    text = "\n".join(lines)
    assert f"fd_probe {np.mean([value('difffit', seed) + MACHINE for seed in SEEDS]):.2f}" in text
    assert "higher than full, bitfit; not separated from labels" in text
    assert "30,000 parameters trained (0.700 % of all), a file of 120,000 bytes" in text
    assert "trained in 75.0 s, 1.00 times as long as bitfit here" in text
    assert "kept" in lines[-1]


def test_numbers_of_another_recipe_compare_with_nothing(folder):
    record = folder / "provenance-00000000.json"
    content = json.loads(record.read_text())
    content["inputs"] = {f"{path}-other": one for path, one in content["inputs"].items()}
    record.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="kept at commit 01234567 by code that computes otherwise"):
        asked.asked("difffit", {}, folder)
    with pytest.raises(ValueError, match="no kept report"):
        asked.asked("difffit", {}, folder.parent / "none")


def test_a_shift_moves_interval_and_p_value_together():
    for shift in (0.0, 0.5, 1.0, 1.5):
        found = Estimate(1.2, 0.1, 8, 5, methods=4, shift=shift)
        assert (found.p < 0.05) == (found.low > 0) == (verdict(found) == "higher")
    assert Estimate(1.2, 0.0, math.inf, 2, shift=1.5).p == 1


@pytest.mark.parametrize(("lowest", "table"), [(-4, 1), (-3, 2), (-5, 0), (-7, 3), (1, -2)])
def test_rates_are_chosen_by_the_lowest_loss_and_a_grid_goes_on_at_its_edge(lowest, table):
    asked_for = []

    def losses(tried):
        asked_for.extend((one["lr"], one["lr_multipliers"]["y_embedder"]) for one in tried)
        return [
            abs(2 * math.log10(one["lr"]) - lowest) + abs(math.log(one["lr_multipliers"]["y_embedder"], 5) - table)
            for one in tried
        ]

    found = rates.chosen({"rank": 4}, losses)
    assert found == {"rank": 4, "lr": rates.half_decades(lowest), "lr_multipliers": {"y_embedder": 5.0**table}}
    assert asked_for[:4] == [(0.003, 5), (0.01, 5), (0.03, 5), (0.1, 5)]


def test_rates_that_diverge_are_none(folder):
    with pytest.raises(ValueError, match="no learning rate that was tried gives a finite loss"):
        rates.chosen({}, lambda tried: [math.nan] * len(tried))
    tried = [rates.entry({}, -4, power) for power in (0, 1)]
    assert list(rates.study("difffit", tried).methods) == ["lr-0.01-table-1", "lr-0.01-table-5"]


def test_the_page_has_the_row_the_differences_and_the_methods_file(folder, monkeypatch):
    for shared in ("notebooks", "src"):
        Path(shared).symlink_to(ROOT / shared)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    wanted, random = asked.asked("difffit", {"lr": 0.02}, folder), np.random.default_rng(0)
    for job in wanted.plan.jobs:
        if job.kind != "report" and (job in wanted.jobs or job.kind not in ("evaluate", "denoise")):
            made_up.fake(job, random)
    page = site.build(wanted, {"lr": 0.02})
    text = page.read_text(encoding="utf-8")
    assert page == Path("reports/bench/difffit/index.html")
    assert 'class="failed"' not in text
    assert 'class="pending"' not in text
    assert re.findall(r'<nav[^>]*>.*?href="([^"]*)"', text, re.DOTALL)[0] == "index.html"
    differences = text[text.index('<table class="differences">') :].partition("</table>")[0]
    assert [name for name in re.findall(r"difffit − (\w+)<", differences)] == ["full", "bitfit", "labels"]
    assert "class-conditional" in text or "scale factors" in text  # the method's own file
    for anchor in re.findall(r'href="index.html#(made-[^"]*)"', text):
        assert f'id="{anchor}"' in text
    kept_values = pd.read_csv(page.parent / kept.VALUES)
    assert list(kept_values["entry"].unique()) == ["full", "bitfit", "labels", "difffit"]
