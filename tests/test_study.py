"""Studies, plans and the store: what a setting changes, what is refused, and what is published."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from finefit.jobs import recipes, store
from finefit.jobs.job import Job
from finefit.jobs.quantities import duration
from finefit.outlook import cost, forecast
from finefit.outlook.time_left import Pace, outlook
from finefit.study import reading
from finefit.study.config import Study
from finefit.study.plan import Plan

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def in_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def study(**changes) -> Study:
    """The smoke study with keys replaced, `a__b=value` reaching into sections."""
    content = yaml.safe_load(Path("studies/smoke.yaml").read_text())
    for path, value in changes.items():
        *sections, key = path.split("__")
        target = content
        for section in sections:
            target = target[section]
        target[key] = value
    return reading.parse(content, "test")


def paths(study: Study, *kinds: str) -> set[Path]:
    return {job.path for job in Plan(study).jobs if job.kind in kinds}


@pytest.mark.parametrize(
    "file", ["params.yaml", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "studies").glob("*.yaml"))]
)
def test_every_study_of_the_repository_is_valid(file):
    assert Plan(reading.load(Path(file))).jobs


def test_experiments_in_the_documents_name_values_that_the_study_file_has_or_add_with_a_plus():
    """dvc's --set-param takes no other; what it gives is a study."""
    words = r"dvc exp run .*?-S (\+?)([\w.]+)=(\S+)"
    found = [
        one for page in ("README.md", *Path("docs").glob("*.md")) for one in re.findall(words, Path(page).read_text())
    ]
    assert len(found) >= 3
    for added, dotted, value in found:
        content = yaml.safe_load(Path("params.yaml").read_text())
        *sections, key = dotted.split(".")
        section = functools.reduce(dict.__getitem__, sections, content)
        assert (key in section) != bool(added), dotted
        section[key] = float(value)
        reading.parse(content, dotted)


def test_one_learning_rate_changes_that_methods_jobs_and_the_report():
    before, after = Plan(study()), Plan(study(methods__difffit__lr=2e-3))
    changed = {job.path for job in after.jobs} - {job.path for job in before.jobs}
    assert {path.parts[0] for path in changed} == {"runs", "samples", "metrics"}
    assert all("difffit" in path.name for path in changed)
    assert after.report.marker != before.report.marker
    assert after.report.path == before.report.path


def test_the_same_settings_in_another_spelling_are_the_same_jobs():
    assert paths(study(methods__difffit={"lr": 0.001}), "finetune") == paths(
        study(methods__difffit={"lr": "1e-3"}), "finetune"
    )


def test_a_sweep_is_its_values_written_out():
    swept = {"bitfit": {}, "difffit": {"sweep": {"lr": [1e-3, "2e-3"], "layout": ["two-D"]}}}
    by_hand = {
        "bitfit": {},
        "difffit-lr-0.001-layout-two-d": {"method": "difffit", "lr": 1e-3, "layout": "two-D"},
        "difffit-lr-0.002-layout-two-d": {"method": "difffit", "lr": 2e-3, "layout": "two-D"},
    }
    assert paths(study(methods=swept), "finetune") == paths(study(methods=by_hand), "finetune")


def test_sampling_settings_retrain_nothing():
    assert paths(study(), "finetune") == paths(study(sample__steps=3), "finetune")


def test_recipe_number_renews_a_kind_and_what_is_built_on_it(monkeypatch):
    before = Plan(study())
    monkeypatch.setitem(recipes.RECIPES, "sample", recipes.RECIPES["sample"] + 1)
    changed = {job.kind for job in Plan(study()).jobs} - {
        job.kind for job in Plan(study()).jobs if job.digest in {old.digest for old in before.jobs}
    }
    assert changed == {"sample", "evaluate", "report"}


def test_scale_one_is_sampled_once_without_guidance():
    both = {"method": "finediffusion", "guidance": ["superclass", "null"]}
    jobs = Plan(study(methods={"fd": both}, sample__scale=1.0)).kind("sample")
    assert [job.settings["guidance"] for job in jobs] == ["none"]


def test_planning_imports_no_torch():
    code = "import sys; from pathlib import Path; from finefit.commands import app, plan_of;"
    code += "plan_of(Path('params.yaml')); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"train__stepz": 5}, "train.stepz"),
        ({"train__steps": 0}, "train.steps"),
        ({"train__steps": "many"}, "train.steps"),
        ({"methods__fulll": {}}, "unknown method 'fulll'"),
        ({"methods__full": {"rank": 3}}, "methods.full: rank: unknown key"),
        ({"methods__full": {"guidance": ["superclass"]}}, "needs embedder: tiered"),
        ({"methods__full": {"lr": -1}}, "lr is -1"),
        ({"data__embedded__options": {"classes": 0}}, "classes is 0"),
        ({"data": {"nowhere": {"resolutions": [32]}}}, "unknown data set 'nowhere'"),
        ({"data__embedded__resolutions": []}, "data.embedded.resolutions"),
        ({"methods__full": {"sweep": {"lr": 1e-3}}}, "full.sweep: give settings and their values"),
        ({"methods": {"full": {"sweep": {"lr": [1, 1.0]}}}}, "gives 'full-lr-1' twice"),
        ({"seeds": [0, 0]}, "seeds: 0 appears twice"),
        ({"methods": {}}, "methods: Dictionary should have at least 1 item"),
        ({"data": {"grocery": {"resolutions": [512]}}}, "data.grocery.resolutions: 512 is more than the 128 pixels"),
        ({"data__embedded__resolutions": [33]}, "data.embedded.resolutions: 33 is no multiple of 4"),
        ({"codec__name": "patch_pcaa"}, "codec.name: 'patch_pcaa' is none of"),
        ({"codec__weights": "codec-patch-pca"}, "did you mean codec-patch-pca-"),
        ({"base__size": "XXL"}, "base.size: 'XXL' is none of"),
        ({"sample__sweep": {"ful": [1.0]}}, "did you mean full?"),
    ],
)
def test_faults_are_named(changes, expected):
    with pytest.raises(ValueError) as error:
        study(**changes)
    assert expected in str(error.value)


def test_all_faults_at_once_with_their_lines(tmp_path):
    file = tmp_path / "study.yaml"
    text = Path("studies/smoke.yaml").read_text().replace("steps: 24", "steps: 0").replace("seeds: [0]", "seeds: []")
    file.write_text(text.replace("  bitfit:", "  bitfitt:").replace("name: patch_pca,", "name: patch,"))
    with pytest.raises(ValueError) as error:
        reading.load(file)
    lines = file.read_text().splitlines()
    for line in str(error.value).splitlines():
        number = int(line.removeprefix(str(file) + ":").split(":")[0])
        assert line.split(": ")[1].split(".")[-1] in lines[number - 1]
    assert len(str(error.value).splitlines()) == 4  # in sections by themselves, and across them


def test_a_name_given_twice_is_refused(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(Path("studies/smoke.yaml").read_text().replace("  bitfit:", "  full:"))
    with pytest.raises(ValueError, match=r"study\.yaml: .*line \d+: methods\.full stands there again, after line \d+"):
        reading.load(file)


def test_unknown_source_is_refused():
    with pytest.raises(ValueError, match="no source 'base-giant'"):
        Plan(study(base__weights="base-giant"))


@pytest.fixture
def job(tmp_path, monkeypatch) -> Job:
    monkeypatch.chdir(tmp_path)
    return Job("data", "toy", {"number": 1})


def write_two(job: Job, out: Path, scratch: Path) -> None:
    (out / "a.txt").write_text("a")
    (out / "deep").mkdir()
    (out / "deep" / "b.txt").write_text("b")


def test_publishing_is_whole_and_described(job):
    store.produce(job, write_two)
    provenance = store.check(job)
    assert provenance["files"].keys() == {"a.txt", "deep/b.txt"}
    assert provenance["settings"] == {"number": 1} and provenance["seconds"] >= 0
    assert not list(Path("scratch").glob(job.digest))


def test_published_artifacts_are_not_made_again(job):
    store.produce(job, write_two)
    store.produce(job, lambda *_: pytest.fail("made twice"))


def test_a_failed_job_leaves_nothing_seen_and_keeps_its_scratch(job):
    def fail(job, out, scratch):
        (out / "half.txt").write_text("half")
        (scratch / "state").write_text("progress")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        store.produce(job, fail)
    assert not job.path.exists()
    seen = []
    store.produce(job, lambda job, out, scratch: seen.append((scratch / "state").read_text()))
    assert seen == ["progress"]
    assert not (job.path / "half.txt").exists()


def test_one_altered_byte_is_refused_by_name(job):
    store.produce(job, write_two)
    (job.path / "deep" / "b.txt").write_text("B")
    with pytest.raises(ValueError, match=r"deep/b\.txt: altered since it was published; delete"):
        store.produce(Job("hierarchy", "toy", {}, {"data": job}), write_two)


def test_missing_input_is_refused(job):
    with pytest.raises(ValueError, match="not made yet"):
        store.produce(Job("hierarchy", "toy", {}, {"data": job}), write_two)


def test_two_processes_make_it_once(job):
    code = (
        "import sys, time; from pathlib import Path; from finefit.jobs import store; from finefit.jobs.job import Job\n"
        "def build(job, out, scratch):\n"
        "    time.sleep(1); open('made', 'a').write('x'); (out / 'a').write_text('a')\n"
        "store.produce(Job('data', 'toy', {'number': 1}), build)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert Path("made").read_text() == "x"
    assert sum("another process is making it" in text for text in said) == 1


def test_report_keeps_its_address_and_is_replaced_whole(job):
    first, second = (Job("report", "toy", {"version": version}) for version in (1, 2))
    store.produce(first, lambda job, out, scratch: (out / "old.html").write_text("1"))
    store.produce(second, lambda job, out, scratch: (out / "new.html").write_text("2"))
    assert {path.name for path in second.path.iterdir()} == {"new.html", second.marker.name}
    assert json.loads(second.marker.read_text())["digest"] == second.digest


def test_time_left_is_the_forecast_before_anything_ran(in_root, tmp_path, monkeypatch):
    planned = Plan(reading.load(Path("params.yaml")))
    here = forecast.hardware_here()
    sums = [sum(part) / 2 for part in zip(*(cost.seconds(job, here) for job in planned.jobs), strict=True)]
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    sources = Path("data").resolve()
    monkeypatch.chdir(tmp_path)
    Path("data").symlink_to(sources)
    middle, least, most = map(duration, sums)
    told = f"0 of {len(planned.jobs)} jobs done, about {middle} left ({least} to {most})"
    assert outlook(planned) == told


def test_what_jobs_took_corrects_the_forecast_of_their_kind():
    runs = Plan(study(seeds=[0, 1])).kind("finetune")
    pace = Pace(runs)
    middle, least, most = pace.of(runs[-1])
    assert least < middle < most
    pace.ended(runs[0], 3 * pace.of(runs[0]).middle)  # three times as slow, and one job is not enough for bounds
    assert pace.of(runs[-1]) == pytest.approx((3 * middle, 3 * least, 3 * most))
    for run, times in zip(runs[1:3], (1, 5), strict=True):
        pace.ended(run, times * Pace(runs).of(run).middle)
    assert pace.of(runs[-1]) == pytest.approx((3 * middle, middle, 5 * middle))


def test_time_left_shares_cores_and_knows_what_runs(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    runs = Plan(study(seeds=[0, 1, 2])).kind("finetune")[:3]
    pace = Pace(runs)
    each = [pace.of(run).middle for run in runs]
    assert pace.left(runs).middle == pytest.approx(sum(each) / 2)
    assert pace.left(runs[:1]).middle == pytest.approx(each[0]), "one job is not shared"
    assert pace.left(runs, {runs[0].digest: 0.5 * each[0]}).middle == pytest.approx((sum(each) - 0.5 * each[0]) / 2)
    assert pace.left([]) == (0, 0, 0)


def test_a_seed_fixes_the_noise_of_sampling_too(in_root):
    plan = Plan(reading.load(Path("studies/smoke.yaml")).model_copy(update={"seeds": [3, 4]}))
    assert {job.settings["seed"] for job in plan.kind("sample")} == {3, 4}
    assert all(job.settings["seed"] == job.inputs["run"].settings["seed"] for job in plan.kind("sample"))


def test_every_run_and_the_base_have_one_denoising_loss(in_root):
    plan = Plan(reading.load(Path("studies/smoke.yaml")))
    runs = [job.inputs["run"].digest for job in plan.kind("denoise") if "run" in job.inputs]
    assert sorted(runs) == sorted(job.digest for job in plan.kind("finetune"))
    assert len(plan.kind("denoise")) == len(runs) + 1
    assert set(plan.kind("denoise")) <= set(plan.report.inputs.values())
