"""Seed by seed: the order of a study's jobs, the drafts between, and that both engines keep to it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from clones import JOB, Clone, clone_here

from finefit.jobs.job import PHASES, Job
from finefit.study import reading, turns
from finefit.study.plan import Plan

ROOT = Path(__file__).parents[1]


def mini(**changes: object) -> Plan:
    """The default study of three seeds, with its sweep and with sections replaced."""
    study = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"seeds": [0, 1, 2]}
    return Plan(reading.parse(study | changes, "test"))


@pytest.fixture(autouse=True)
def in_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def closure(jobs: Iterable[Job]) -> set[str]:
    """Digests of jobs and of all that they are built from."""
    found: set[str] = set()
    for job in jobs:
        found |= {job.digest} | closure(job.inputs.values())
    return found


def publish(plan: Plan, digests: set[str]) -> None:
    for job in plan.jobs:
        if job.digest in digests:
            job.marker.parent.mkdir(parents=True, exist_ok=True)
            job.marker.write_text("{}")


def test_work_goes_by_seed_and_a_seed_begins_with_every_method_at_the_main_scale():
    plan = mini()
    order = turns.order(plan)
    assert {job.digest for job in order} == {job.digest for job in plan.jobs}
    place = {job.digest: number for number, job in enumerate(order)}
    assert all(place[source.digest] < place[job.digest] for job in order for source in job.inputs.values())
    first, second = (closure(draft.report.inputs.values()) for draft in turns.drafts(plan))
    assert {job.digest for job in order[: len(first)]} == first
    swept = [job for job in order[len(first) :] if "-s0-" in job.name or job.name.endswith("/base-denoising")]
    assert {job.kind for job in swept} == {"sample", "denoise", "evaluate"}
    awaited = [place[job.digest] for job in plan.jobs if job.kind in ("reference", "judge")]
    assert max(awaited) < min(place[job.digest] for job in plan.kind("finetune")), "all scores wait for them"
    assert [job.digest for job in order[len(first) : len(first) + len(swept)]] == [job.digest for job in swept]
    assert {job.digest for job in order[: len(second)]} == second


def test_a_draft_is_the_report_of_the_study_that_has_the_first_seeds_alone():
    plan = mini()
    for draft, seeds in zip(turns.drafts(plan), ([0], [0, 1]), strict=True):
        fewer = mini(seeds=seeds)
        assert draft.report.settings == fewer.report.settings
        assert draft.seeds == len(seeds)
        assert draft.path == Path("scratch/drafts/mini"), "one address"
        assert set(draft.report.inputs) <= set(fewer.report.inputs)
        runs = {job.name for job in fewer.kind("finetune")}
        assert closure(draft.report.inputs.values()) >= {
            job.digest for job in plan.kind("finetune") if job.name in runs
        }
    assert len({draft.marker for draft in turns.drafts(plan)}) == 2
    assert turns.drafts(mini(seeds=[0])) == []


def test_drafts_are_due_until_the_next_one_can_be_drawn(tmp_path, monkeypatch):
    plan, (first, second) = mini(), turns.drafts(mini())
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)

    def due() -> list[int]:
        return [draft.seeds for draft in turns.due(plan)]

    assert due() == [1, 2]
    (tmp_path / "data").unlink()
    publish(plan, closure(first.report.inputs.values()))
    assert due() == [1, 2]
    first.marker.parent.mkdir(parents=True)
    first.marker.touch()
    assert due() == [2]
    first.marker.unlink()
    publish(plan, closure(second.report.inputs.values()))
    assert due() == [2], "the first would be replaced at once"
    publish(plan, closure(plan.report.inputs.values()))
    assert due() == [], "the report itself can be made"


def test_only_phases_with_jobs_of_later_seeds_wait_for_drafts():
    plan = mini()
    phases = dict(PHASES.values())
    assert [name for name in phases if turns.goes_by_seed(plan, name)] == ["finetune", "sample", "evaluate", "report"]
    alone = mini(seeds=[0], sample={"steps": 8, "per_class": 16, "scale": 1.5})
    assert [name for name in phases if turns.goes_by_seed(alone, name)] == ["evaluate", "report"]


# Jobs publish a file each and compute nothing.
STAND_IN = """
from finefit import cli, report
from finefit.commands import jobs
jobs.builder = lambda kind: lambda job, out, scratch: (out / "made").write_text(kind)
report.build = lambda job, out, scratch, draft="", early=False: (out / "index.html").write_text(draft)
cli.main()
"""


@pytest.fixture
def quick(tmp_path) -> Clone:
    """A clone whose study has two methods and two seeds, in which jobs are stand-ins and run one after the other."""
    clone = clone_here(tmp_path, "bitfit", "difffit")
    clone.set("seeds", [0, 1])
    profile = clone.root / "workflow/profiles/local/config.yaml"
    profile.write_text(profile.read_text().replace("cores: all", "cores: 1"))
    clone.amend(STAND_IN)
    clone.commit()
    return clone


@pytest.mark.workflow
@pytest.mark.parametrize("engine", [["snakemake"], ["dvc", "repro"]], ids=["snakemake", "dvc"])
def test_both_engines_draw_a_draft_after_every_methods_first_seed(quick, engine):
    said = quick(*engine)
    assert "Draft after 1 of 2 seeds, no intervals yet: scratch/drafts/smoke/index.html" in said
    assert "smoke: 24 of 24 jobs" in said
    draft = quick.root / "scratch/drafts/smoke/index.html"
    assert draft.read_text() == "Draft after 1 of 2 seeds: one seed has no intervals."
    ran = [name for log in quick.logs() for name in JOB.findall(log.read_text(encoding="utf-8"))]
    seeds = [seed[1] for kind, name in ran if (seed := re.search(r"-s(\d)-", name)) and kind != "denoise"]
    before = [kind for kind, _ in ran].index("draft")
    scored = [name for kind, name in ran[:before] if kind == "evaluate"]
    assert len(scored) == 2 and all("-s0-" in name for name in scored), "both methods' first seed"
    assert seeds == sorted(seeds), "no second seed before the last first one"
    quick.commit()
    assert "Nothing to be done" in quick("snakemake", "-n")
    assert quick.jobs("dvc", "repro") == []
    quick.set("methods.difffit.lr", 0.5)
    edited = [f"{kind} embedded-32/difffit-s{seed}{rest}" for seed in (0, 1) for kind, rest in OF_ONE_METHOD]
    ran = [name for name in quick.jobs("snakemake") if not name.startswith("draft")]
    assert ran == sorted([*edited, "report smoke"])


OF_ONE_METHOD = (("denoise", "-denoising"), ("evaluate", "-null-1.5"), ("finetune", ""), ("sample", "-null-1.5"))
