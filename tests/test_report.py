"""The report: intervals against theory, a fake tiny study rendered whole and half, numbers traced, failures told."""

from __future__ import annotations

import html
import json
import math
import os
import re
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from finefit import config, report, sources, store
from finefit.plan import Job, Plan
from finefit.report import collect, comparisons, drawers, figures, overview, sheets, site, statistics, tables

ROOT = Path(__file__).parents[1]
CLASSES, SIDE = 6, 8
STUDY = {
    "name": "tiny",
    "seeds": [0, 1],
    "data": {"embedded": {"resolutions": [SIDE], "options": {"classes": CLASSES}}},
    "codec": {"name": "patch_pca", "weights": "some-codec"},
    "base": {"size": "Mini", "patch": 2, "weights": None},
    "train": {"steps": 20, "batch_size": 8},
    "methods": {"full": {}, "finediffusion": {"guidance": ["superclass", "null"]}},
    "sample": {"steps": 2, "per_class": 2, "scale": 1.5, "sweep": {"finediffusion": [1.0, 3.0]}},
    "evaluate": {"probe_steps": 4},
}
REAL = {
    "classifier_class_accuracy": 0.875, "classifier_superclass_accuracy": 0.9375, "fd_probe_floor": 1.2345,
    "fd_probe_floor_size": 96, "diversity_probe_real": 0.4321, "codec_psnr": 29.87, "codec_fd_probe": 3.4567,
    "codec_class_accuracy": 0.8125,
}  # fmt: skip


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A finished study of made-up numbers; the working directory is its root."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    Path("data").mkdir()
    Path("notebooks").mkdir()
    Path("notebooks/study.ipynb").write_bytes((ROOT / "notebooks/study.ipynb").read_bytes())
    Path("data/sources.csv").write_text(
        "name,file,url,bytes,checksum,licence,terms\nsome-codec,codec.safetensors,,1,sha256:00,none,none\n"
    )
    Path("study.yaml").write_text(yaml.safe_dump(STUDY))
    sources.table.cache_clear()
    plan = Plan(config.load(Path("study.yaml")))
    random = np.random.default_rng(0)
    for job in plan.jobs:
        if job.kind != "report":
            fake(job, random)
    yield plan
    sources.table.cache_clear()


def fake(job: Job, random: np.random.Generator) -> None:
    """Write an artifact of the right form."""
    job.path.mkdir(parents=True)
    files: dict[str, dict] = {}
    if job.kind == "hierarchy":
        names, supers = [f"class <{i}>" for i in range(CLASSES)], [i // 2 for i in range(CLASSES)]
        table = {"class_id": range(CLASSES), "class_name": names, "superclass_id": supers, "superclass": supers}
        pd.DataFrame(table).astype({"superclass": str}).to_csv(job.path / "hierarchy.csv", index=False)
    if job.kind == "finetune":
        files["run.json"] = {
            "trained_parameters": 1234,
            "total_parameters": 9999,
            "trained_share": 0.1234,
            "delta_bytes": 5000,
        }
        pd.DataFrame({"step": range(20), "loss": random.random(20)}).to_csv(job.path / "losses.csv", index=False)
    if job.kind == "sample":
        np.save(job.path / "images.npy", random.integers(0, 256, (2 * CLASSES, SIDE, SIDE, 3), np.uint8))
        np.save(job.path / "labels.npy", np.repeat(np.arange(CLASSES), 2))
    if job.kind == "reference":
        files["reference.json"] = REAL
        np.save(job.path / "gallery.npy", random.integers(0, 256, (CLASSES, 4, SIDE, SIDE, 3), np.uint8))
    if job.kind == "evaluate":
        fd, diversity, accuracy = 10 + 5 * random.random(), random.random(), random.random()
        files["metrics.json"] = {
            "samples": 12,
            "fd_probe": fd,
            "diversity_probe": diversity,
            "fid": None,
            "lpips": None,
        }
        files["metrics.json"] |= {"class_accuracy": accuracy, "superclass_accuracy": random.random()}
    for name, values in files.items():
        (job.path / name).write_text(json.dumps(values))
    store.write_provenance(job, job.path, 12.5)


@pytest.mark.parametrize("values", [[1.0, 2.0], [3.1, 2.9, 3.4], [0.1, 0.5, 0.2, 0.9, 0.4]])
def test_the_interval_is_students(values):
    found = statistics.estimate([*values, math.nan])
    expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.count == len(values)


def test_the_interval_covers_the_mean_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(3.0, 2.0, (4000, 3))
    covered = [found.low <= 3.0 <= found.high for found in map(statistics.estimate, draws)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


def test_few_seeds_support_no_ranking():
    assert statistics.verdict(statistics.estimate([])) == "pending"
    assert statistics.verdict(statistics.paired({0: 1.0, 1: 2.0}, {1: 5.0})) == "one seed"
    assert math.isnan(statistics.estimate([1.0]).half)


def test_pairing_takes_out_what_a_seed_does_to_both():
    seeds = {0: 1.0, 1: 50.0, 2: -30.0}
    better = {seed: value + noise for (seed, value), noise in zip(seeds.items(), [-2.0, -2.1, -1.9], strict=True)}
    difference = statistics.paired(better, seeds)
    expected = stats.ttest_rel(list(better.values()), list(seeds.values())).confidence_interval(0.95)
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))
    assert statistics.verdict(difference) == "lower"
    noisy = dict(zip(seeds, [5.0, 40.0, -28.0], strict=True))
    assert statistics.verdict(statistics.paired(noisy, seeds)) == "not separated"


def test_a_finished_study_is_a_page_that_loads_nothing(plan):
    out, scratch = Path("scratch/a/out"), Path("scratch/a")
    out.mkdir(parents=True)
    report.build(plan.report, out, scratch)
    assert sorted(path.name for path in out.iterdir()) == [
        "index.html", "metrics.json", "results.csv", "study.ipynb", "sweep.csv",
    ]  # fmt: skip
    page = (out / "index.html").read_text()
    loaded = re.findall(r"<(?:script|link|img|iframe|source|video|object)\b[^>]*?(?:src|href|data)=\"([^\"]*)", page)
    assert loaded
    assert all(address.startswith("data:") for address in loaded)
    assert "@import" not in page and not re.search(r"url\((?!#|['\"]?data:)", page)
    assert 'class="pending"' not in page
    assert "class &lt;1&gt;" in page and "class <1>" not in page

    values = json.loads((out / "metrics.json").read_text())
    of_full = [job for job in plan.kind("evaluate") if "/full-" in job.name]
    distances = [json.loads((job.path / "metrics.json").read_text())["fd_probe"] for job in of_full]
    assert values["embedded-8/full/fd_probe"] == pytest.approx(np.mean(distances))
    assert values["embedded-8/real/fd_probe_floor"] == REAL["fd_probe_floor"]
    results = between(page, '<table class="results">', "</table>")
    shown = statistics.estimate(distances)
    assert tables.measured(shown, "fd_probe") in results
    for text in ("1.23", "0.432", "87.5 %", "93.8 %", "3.46", "81.2 %", "29.9 dB", "1,234", "12.3 %", "5.0 kB", "12 s"):
        assert text in html.unescape(results)
    for target in re.findall(r'href="#(made-[^"]*)"', page):
        assert f'id="{target}"' in page
    for job in plan.kind("evaluate"):
        assert job.digest in page
    made_of = pd.read_csv(out / "sweep.csv")
    assert sorted(made_of.loc[made_of["entry"] == "finediffusion", "scale"]) == [1.0, 1.5, 1.5, 3.0, 3.0]


def test_what_is_missing_is_pending(plan):
    missing = [job for job in plan.jobs if "finediffusion-s1" in job.name]
    for job in missing:
        job.marker.unlink()
    found = collect.read("study.yaml")
    row = found.main[found.main["variant"] == "finediffusion-null"].iloc[0]
    assert (row["done"], row["planned"], row["fd_probe"].count) == (1, 2, 1)
    assert "1 of 2 seeds" in tables.results(found).data
    assert "one seed in common" in comparisons.separations(found).data
    assert "pending" in drawers.drawers(found).data
    for job in plan.jobs:
        job.marker.unlink(missing_ok=True)
    found = collect.read("study.yaml")
    parts = [tables.results, comparisons.separations, figures.against_share, figures.guidance_curves, tables.sweep]
    parts += [figures.losses, sheets.compared, sheets.by_method, drawers.drawers, overview.findings]
    for part in parts:
        assert "pending" in part(found).data, part.__name__
    assert report.metrics(found) == {}


def test_absent_weights_make_no_number(plan):
    found = collect.read("study.yaml")
    assert "FID and LPIPS: weights absent" in tables.results(found).data
    assert not [key for key in report.metrics(found) if "fid" in key or "lpips" in key]


def test_a_failing_notebook_says_where(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = [nbformat.v4.new_code_cell(code) for code in ("a = 1", "print('here')\nraise KeyError('no such column')")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), "broken.ipynb")
    with pytest.raises(ValueError) as told:
        site.execute(Path("broken.ipynb"), Path("partial.ipynb"), {})
    assert "broken.ipynb: cell 2 failed: KeyError: 'no such column'" in str(told.value)
    assert "partial.ipynb" in str(told.value)
    assert "here" in Path("partial.ipynb").read_text()


def between(text: str, start: str, end: str) -> str:
    """The part of a text from `start` to the next `end`."""
    return text[text.index(start) :].partition(end)[0]
