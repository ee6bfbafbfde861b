"""What a rehearsal runs in place of a study, on what, and what it says of it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from finefit import datasets
from finefit.datasets import caltech101
from finefit.hierarchy.index import few
from finefit.jobs import machine
from finefit.outlook import cost, doctor, facts, rates, work
from finefit.rehearsal import run, studies, told
from finefit.study import reading
from finefit.study.plan import Plan

ROOT = Path(__file__).parents[1]
DRAWN = [name for name in datasets.names() if hasattr(datasets.find(name), "stand_in")]


@pytest.fixture(autouse=True)
def in_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def study(name: str):
    return reading.load(Path(f"studies/{name}.yaml"))


@pytest.mark.parametrize("name", DRAWN)
def test_a_stand_in_has_every_class_of_the_published_layout(name, tmp_path, monkeypatch):
    """With fewer classes than published, and a second of each split's pictures in every one."""
    reader = datasets.find(name)
    small = replace(reader.PUBLISHED, classes=23, superclasses=min(5, reader.PUBLISHED.superclasses or 5))
    monkeypatch.setattr(reader, "PUBLISHED", small)

    def draw(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 8)).save(path, "JPEG")

    reader.stand_in(tmp_path, draw)
    settings = reader.Settings()
    classes, index = reader.taxonomy(settings, tmp_path), reader.index(settings, tmp_path)
    assert len(classes) == 23 == classes["class_name"].nunique()
    counts = index.groupby(["class_name", "split"]).size().unstack()
    assert set(counts.index) == set(classes["class_name"]) and (counts[["train", "test"]] >= 2).all(axis=None)
    assert reader.read(index.iloc[[0, -1]], 8, settings, tmp_path).shape == (2, 8, 8, 3)
    assert name != "caltech101" or (counts["train"] == caltech101.TRAIN_PER_CLASS).all()


@pytest.mark.parametrize("name", ["finediffusion", "difffit", "finediffusion-512", "difffit-512", "smoke"])
@pytest.mark.parametrize("on_gpu", [False, True])
def test_every_kind_of_job_is_rehearsed_at_its_true_shape(name, on_gpu):
    whole = Plan(study(name))
    plans = [Plan(part) for part in studies.derived(whole.study, on_gpu)]
    jobs = [job for plan in plans for job in plan.jobs]

    def shapes(jobs) -> set:
        return {
            (job.kind, kind, cost.shape(job, kind))
            for job in jobs
            if job.kind not in ("base", "report", "data", "hierarchy")
            for kind, amount in work.amounts(job).items()
            if amount
        }

    assert shapes(whole.jobs) <= shapes(jobs)
    assert {job.kind for job in jobs} == {job.kind for job in whole.jobs}
    for kind in ("data", "latents"):
        assert {job.name for job in jobs if job.kind == kind} == {job.name for job in whole.kind(kind)}
    assert {job.settings["method"] for job in jobs if job.kind == "finetune"} == {
        job.settings["method"] for job in whole.kind("finetune")
    }
    few = 4 if whole.study.base.size == "XL" and not on_gpu else 64
    assert all(facts.pictures_of(job) <= few for job in jobs if job.kind == "sample")
    batches = {job.settings["train"]["batch_size"] for job in jobs if job.kind == "finetune"}
    assert batches == {2 if few == 4 else whole.study.train.batch_size}
    assert not {job.digest for job in jobs if job.kind != "base"} & {job.digest for job in whole.jobs}


def test_a_trial_takes_pairs_of_pictures_from_the_first_class_to_the_last():
    import pandas as pd

    index = pd.DataFrame([(c, s, k) for c in range(9) for s in ("train", "test") for k in range(3)],
                         columns=["class_id", "split", "key"])  # fmt: skip
    kept = few(index, 9, 6)
    assert kept.groupby(["split", "class_id"]).size().to_dict() == {
        (s, c): 2 for s in ("train", "test") for c in (0, 4, 8)
    }


def test_what_does_not_fit_is_not_begun_nor_what_needs_it():
    plan = Plan(studies.derived(study("finediffusion"), on_gpu=False)[0])
    tasks = run.tasks([plan], on_gpu=False)
    full = next(task for task in tasks if task.job.name.endswith("/full-s0"))
    sample = next(task for task in tasks if task.job.kind == "sample" and task.job.inputs["run"] is full.job)
    made = {task.job.digest: run.Outcome(task.job, {}, "", 0) for task in tasks}
    lost = run.Outcome(full.job, None, "fails: killed", 0)
    large = replace(full, counted=17e9)
    assert run.obstacle(large, made, free=4e9) == "not begun: needs 17 GB of memory, and 4.0 GB are free here"
    assert run.obstacle(replace(sample, counted=1e9), made, free=4e9) == ""
    said = run.obstacle(sample, made | {full.job.digest: lost}, free=1e12)
    assert said == f"not begun: {full.job.path} was not made"


STAND_IN_COMMAND = """
import json, sys
from pathlib import Path
kind, path = sys.argv[1:3]
if kind == "hierarchy":
    print("finefit: hierarchy: no classes")
    sys.exit(1)
Path(path).mkdir(parents=True)
(Path(path) / "provenance.json").write_text(json.dumps({"seconds": 0.3, "peak_bytes": 1}))
"""


def test_jobs_are_made_after_their_inputs_two_at_once_on_two_cores_where_memory_allows(tmp_path, monkeypatch):
    plan = Plan(studies.derived(study("finediffusion"), on_gpu=False)[0])
    counted = {"base": 1e9, "data": 1e9, "finetune": 6e9, "latents": 1e9, "denoise": 6e9}
    tasks = [replace(task, counted=counted.get(task.job.kind, 1e9)) for task in run.tasks([plan], on_gpu=False)]
    kept = [task for task in tasks if task.job.kind in {*counted, "hierarchy", "reference"}]
    (tmp_path / "stand_in.py").write_text(STAND_IN_COMMAND)
    monkeypatch.setattr(run, "COMMAND", [sys.executable, str(tmp_path / "stand_in.py")])
    monkeypatch.setattr(run, "tasks", lambda plans, on_gpu: list(kept))
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(machine, "free_bytes", lambda: 10_000_000_000)
    said: list[str] = []
    found = run.outcomes([plan], tmp_path, on_gpu=False, say=said.append)
    assert [one.job for one in found] == [task.job for task in kept]
    reasons = {one.job.kind: one.reason for one in found}
    follow = sum(one.made is None for one in found) - 1
    assert [*told.failures(found)] == [
        next(f"hierarchy {one.job.name}: {one.reason}" for one in found if one.job.kind == "hierarchy"),
        f"{follow} more jobs that would have read what was not made",
    ]
    assert reasons["hierarchy"] == "fails: hierarchy: no classes"
    assert reasons["reference"].startswith("not begun: data/hierarchies/")

    by_path = {str(task.job.path): task for task in kept}
    running, ended, most = set(), set(), 0
    for line in said:
        path, _, over = line.split(maxsplit=1)[1].partition(": ")
        if over:
            running.discard(path)
            ended.add(path)
        else:
            assert {str(source.path) for source in by_path[path].job.inputs.values()} <= ended
            running.add(path)
            most = max(most, len(running))
            assert len(running) <= 2 and sum(by_path[one].counted for one in running) <= 10e9
    assert most == 2 and not running

    said.clear()
    again = run.outcomes([plan], tmp_path, on_gpu=False, say=said.append)
    assert [one.made for one in again] == [one.made for one in found]
    begun = [line.split()[-1] for line in said if ": " not in line]
    assert begun == [str(one.job.path) for one in found if one.reason.startswith("fails")]


def test_measured_rates_are_what_a_plan_goes_by(tmp_path, monkeypatch):
    whole = Plan(study("finediffusion"))
    runs = [job for job in Plan(studies.derived(whole.study, on_gpu=False)[0]).kind("finetune")]
    monkeypatch.setattr(rates, "MEASURED", tmp_path / "rates-here.csv")
    step = {"amount": 2, "seconds": 30.0, "processor_seconds": 3.0}
    made = {"parts": {"training steps": step}, "hardware": {"gpu": "NVIDIA H200"}}
    measured = told.measured([run.Outcome(runs[0], made, "", 0.0), run.Outcome(runs[1], None, "fails: so", 0.0)])
    rates.keep(measured)
    try:
        assert rates.gpu() == "nvidia-h200"
        full, frozen = whole.kind("finetune")[0], whole.kind("finetune")[3]
        rate = 2 * work.step_operations(runs[0]) / 30
        assert cost.seconds(full, "nvidia-h200")[0] == pytest.approx(work.amounts(full)["train"] / rate, rel=1e-3)
        before = cost.seconds(frozen, rates.GPU)
        assert cost.seconds(frozen, "nvidia-h200") == before  # another method's was not measured
    finally:
        rates.known.cache_clear()


def test_the_table_says_what_a_unit_took_and_what_held_more_than_was_counted(tmp_path):
    plan = Plan(studies.derived(study("finediffusion"), on_gpu=False)[0])
    sample = plan.kind("sample")[0]
    (tmp_path / sample.path).mkdir(parents=True)
    (tmp_path / sample.path / "images.npy").write_bytes(b"0" * 786_000)
    took = {"denoising passes": (8, 20.0), "pictures decoded": (2, 3.0)}  # on a machine that was busy with other work
    parts = {
        what: {"amount": amount, "seconds": 9 * seconds, "processor_seconds": seconds}
        for what, (amount, seconds) in took.items()
    }
    made = {"parts": parts, "seconds": 31.2, "peak_bytes": 5_000_000_000, "hardware": {"gpu": "none"}}
    lost = run.Outcome(plan.kind("evaluate")[0], None, "not begun: needs 17 GB of memory, and 4.0 GB are free here", 0)
    found = [run.Outcome(sample, made, "", 4e9), lost]
    _, row, other = told.table(found, tmp_path)
    assert "2.5 s a pass; 1.5 s a decoding" in row and "31 s   5.0 GB        -   786 kB" in row
    assert "needs 17 GB" in other
    assert list(told.exceeding(found)) == [
        f"sample {sample.name}: held 5.0 GB, more than the 4.0 GB that are counted for it"
    ]
    work = {work: (amount, seconds) for work, amount, seconds in told.amounts(sample, made)}
    assert work == {"sample": (pytest.approx(8 * 237.2e9, rel=0.01), 20.0), "codec": (2 * 622.2e9, 3.0)}


def test_a_source_that_is_not_here_says_how_it_is_got_and_its_terms(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.sources, "RAW", tmp_path)
    said = list(doctor.missing({"vegfru", "dit-xl-2-256", "base-mini-32"}))
    assert [line.split(":")[0] for line in said] == ["dit-xl-2-256", "vegfru"]
    assert "run `finefit fetch dit-xl-2-256` (licence: CC BY-NC 4.0" in said[0] and "by hand: download" in said[1]
