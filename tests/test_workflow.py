"""Two engines, one truth: what Snakemake and DVC promise each other, each point in a throw-away clone.

1. After either engine, the other has nothing to compute.
2. One method's edited learning rate runs exactly that method's jobs and the report.
3. The revert of the edit runs nothing but the report.
4. All of this holds in a fresh clone after `dvc pull`, whatever its modification times.
5. An experiment of DVC gives the new value's result.
6. An edited comment computes nothing.

The smoke study is computed once, by `dvc repro`; a test gets a copy of that finished clone and does something to it.
What ran is read from Snakemake's own logs, whichever engine called it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal

import pytest
import yaml
from clones import ROOT, Clone, clone_here, share_memory

from finefit.jobs.job import PHASES
from finefit.study.plan import Plan
from finefit.study.reading import load, parse

DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
NOTHING = "Nothing to be done"


def jobs_of(method: str, guidance: str) -> list[str]:
    """What an edit of one method runs."""
    run = f"embedded-32/{method}-s0"
    sampled = f"{run}-{guidance}-1.5"
    return [f"denoise {run}-denoising", f"evaluate {sampled}", f"finetune {run}", "report smoke", f"sample {sampled}"]


# What dvc.yaml says is what the plan says.


def test_stages_and_outs_are_the_plans_phases_and_folders():
    outs = {name: [*out][0] for name, stage in DVC["stages"].items() for out in stage["outs"]}
    assert outs == dict(PHASES.values()) | {"report": "reports/${name}"}
    assert [*outs] == [*dict(PHASES.values())]


@pytest.mark.parametrize("phase", DVC["stages"])
def test_a_stage_lists_the_sections_that_its_jobs_digests_cover(phase):
    smoke = yaml.safe_load((ROOT / "studies/smoke.yaml").read_text(encoding="utf-8"))
    smoke["evaluate"]["utility"] = {"per_class": 128, "steps": 2, "ratios": [1]}
    changes = {
        "name": "other",
        "seeds": [1],
        "data": {"embedded": {"resolutions": [32], "options": {"seed": 1}}},
        "codec": smoke["codec"] | {"weights": "base-mini-32"},
        "base": smoke["base"] | {"weights": None},
        "train": smoke["train"] | {"steps": 7},
        "methods": smoke["methods"] | {"full": {"lr": 0.5}},
        "sample": smoke["sample"] | {"per_class": 3, "scale": 3.0},
        "evaluate": smoke["evaluate"] | {"probe_steps": 3, "utility": {"per_class": 129, "steps": 2, "ratios": [1]}},
    }

    def digests(study: dict) -> set[str]:
        return {job.digest for job in Plan(parse(study, "test")).phase(phase)}

    covered = [section for section in smoke if digests(smoke | {section: changes[section]}) != digests(smoke)]
    assert [name for name in DVC["stages"][phase]["params"] if isinstance(name, str)] == covered


def test_defaults_are_as_dvc_records_them():
    """dvc reads defaults from the source and compares them with dvc.lock, where a tuple has become a list."""
    from dvc.utils.serialize import parse_py

    source = ROOT / "src/finefit/study/sections.py"
    sections = parse_py(source.read_text(encoding="utf-8"), str(source))
    for section in ("TrainSettings", "SampleSettings", "EvaluateSettings", "UtilitySettings"):
        assert yaml.safe_load(yaml.safe_dump(json.loads(json.dumps(sections[section])))) == sections[section]


# 1. After either engine the other has nothing to compute.


@pytest.mark.workflow
def test_after_dvc_repro_both_engines_have_nothing_to_do(smoke):
    assert NOTHING in smoke("snakemake", "-n")
    assert "up to date" in smoke("dvc", "status")
    assert smoke.jobs("dvc", "repro") == []


@pytest.mark.workflow
def test_after_snakemake_alone_dvc_repro_records_without_computing(smoke):
    lock = (smoke.root / "dvc.lock").read_text(encoding="utf-8")
    (smoke.root / "dvc.lock").unlink()
    for memory in (".dvc/cache", ".snakemake"):
        shutil.rmtree(smoke.root / memory)
    assert smoke.jobs("dvc", "repro") == []
    assert (smoke.root / "dvc.lock").read_text(encoding="utf-8") == lock
    assert "up to date" in smoke("dvc", "status")


# 2 and 3. An edit runs exactly what it concerns; its revert nothing but the report.


@pytest.mark.workflow
def test_an_edit_runs_what_it_concerns_and_its_revert_only_the_report(smoke):
    before = load(smoke.root / "params.yaml").methods["difffit"]["lr"]
    smoke.set("methods.difffit.lr", 2 * before)
    assert smoke.jobs("snakemake") == jobs_of("difffit", "null")
    smoke.set("methods.difffit.lr", before)
    assert smoke.jobs("dvc", "repro") == ["report smoke"]
    assert NOTHING in smoke("snakemake", "-n")


# 4. A fresh clone with pulled artifacts and scrambled times is as good as the one that computed them.


@pytest.mark.workflow
def test_a_pulled_clone_with_scrambled_times_has_nothing_to_do(smoke, tmp_path):
    smoke("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    smoke("dvc", "push")
    smoke.commit()
    pulled = Clone(tmp_path / "pulled" / "finefit")
    smoke("git", "clone", "--quiet", str(smoke.root), str(pulled.root))
    share_memory(pulled.root)
    pulled("dvc", "pull")
    chance = random.Random(0)
    for path in pulled.root.rglob("*"):
        if path.is_file() and ".git" not in path.parts and ".dvc" not in path.parts:
            os.utime(path, (chance.uniform(1e9, 1.7e9),) * 2)
    assert "up to date" in pulled("dvc", "status")
    assert NOTHING in pulled("snakemake", "-n")
    pulled.set("methods.difffit.lr", 0.02)
    assert pulled.jobs("snakemake") == jobs_of("difffit", "null")


# 5. Experiments of DVC give the new value's result.


@pytest.mark.workflow
@pytest.mark.parametrize("where", ["workspace", "temp"])
def test_an_experiment_computes_the_new_value(smoke, where):
    command = ["dvc", "exp", "run", "--name", "tried", "--set-param", "methods.bitfit.lr=0.03"]
    if where == "workspace":
        assert smoke.jobs(*command) == jobs_of("bitfit", "null")
    else:
        smoke(*command, "--temp")
        assert load(smoke.root / "params.yaml").methods["bitfit"]["lr"] != 0.03
        smoke("dvc", "exp", "apply", "tried")
    assert load(smoke.root / "params.yaml").methods["bitfit"]["lr"] == 0.03
    assert smoke.missing() == []
    assert NOTHING in smoke("snakemake", "-n")
    run = next(job for job in Plan(load(smoke.root / "params.yaml")).kind("finetune") if "bitfit" in job.name)
    assert json.loads((smoke.root / run.marker).read_text())["settings"]["method_settings"]["lr"] == 0.03
    study = (smoke.root / "params.yaml").read_text()  # the same in a study file, in another spelling
    (smoke.root / "studies/spelled.yaml").write_text(study.replace("lr: 0.03", "lr: 3.0e-2"))
    assert NOTHING in smoke("snakemake", "-n", "--configfile", "studies/spelled.yaml")
    assert "methods.bitfit.lr" in smoke("dvc", "params", "diff", "HEAD")
    assert "embedded-32/bitfit/fd_probe" in smoke("dvc", "metrics", "diff", "HEAD")
    assert "bitfit" in smoke("dvc", "plots", "diff", "HEAD", "--json")


# 6. Comments compute nothing.


@pytest.mark.workflow
def test_a_comment_in_the_code_computes_nothing(smoke):
    for module in ("training/train.py", "study/sections.py", "jobs/recipes.py", "methods/full.py"):
        with open(smoke.root / "src/finefit" / module, "a", encoding="utf-8") as file:
            file.write("\n# A comment.\n")
    assert NOTHING in smoke("snakemake", "-n")
    assert smoke.jobs("dvc", "repro") == []


# What is lost is made again, and nothing else; what is made again is the same.


@pytest.mark.workflow
def test_a_deleted_run_is_made_again_alone(smoke):
    files = smoke.files()
    (run,) = (smoke.root / "runs/embedded-32").glob("bitfit-s0-*")
    shutil.rmtree(run)
    assert smoke.jobs("snakemake") == ["finetune embedded-32/bitfit-s0"]
    assert smoke.files() == files


@pytest.mark.workflow
def test_another_clone_killed_while_it_trains_ends_in_the_same_bytes(finished, tmp_path):
    """The first fine-tuning job kills itself and its engine (kill -9) at the first state that it keeps."""
    clone = clone_here(tmp_path / "clone", "difffit")
    clone.amend(
        f"""
import os, sys
from finefit import cli
if sys.argv[1] == "warm":  # which makes the run's jobs
    from finefit.training import state
    from finefit.training import train
    keep = state.save
    train.SECONDS_BETWEEN_STATES = 0
    state.save = lambda *kept: (keep(*kept), os.killpg(0, {signal.SIGKILL:d}))
cli.main()
""",
    )
    clone("snakemake", ok=False)
    assert [*(clone.root / "scratch").glob("*/state.pt")]
    assert not (clone.root / "runs").exists() or not [*(clone.root / "runs").rglob("provenance.json")]
    clone("git", "checkout", "--quiet", "src")
    clone("snakemake")
    assert clone.files().items() < finished.files().items()


# The study of a run.


@pytest.mark.workflow
def test_a_study_file_is_the_whole_study(smoke):
    shutil.copyfile(smoke.root / "params.yaml", smoke.root / "studies/whole.yaml")
    smoke.set("seeds", [5])
    assert NOTHING in smoke("snakemake", "-n", "--configfile", "studies/whole.yaml")


@pytest.mark.workflow
def test_faults_of_a_study_are_listed_with_their_lines(smoke):
    smoke.set("train.stepps", 3)
    said = smoke("snakemake", "-n", ok=False)
    line = (smoke.root / "params.yaml").read_text().splitlines().index("  stepps: 3") + 1
    assert f"params.yaml:{line}: train.stepps" in said
