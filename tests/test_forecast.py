"""What a study costs, what is left over from earlier ones, and what a machine lacks: said before and after it runs."""

from __future__ import annotations

import fcntl
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from clones import ROOT

from finefit.jobs import machine
from finefit.models.shapes import Shape
from finefit.outlook import cost, doctor, forecast, prune, rates, work
from finefit.study.plan import Plan
from finefit.study.reading import load, parse


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty project with the smoke study."""
    for name in ("data/sources.csv", "data/rates.csv", "studies/smoke.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paper(name: str, monkeypatch) -> Plan:
    monkeypatch.chdir(ROOT)
    return Plan(load(Path(f"studies/{name}.yaml")))


def test_operations_and_parameters_are_the_published_ones():
    """DiT's table: 118.64 Gflops (a multiplication and its addition counted as one) at 256, 524.6 at 512; 675 M."""
    assert Shape("XL", 2, 32).forward_operations == pytest.approx(2 * 118.64e9, rel=0.01)
    assert Shape("XL", 2, 64).forward_operations == pytest.approx(2 * 524.60e9, rel=0.01)
    assert Shape("XL", 2, 32).block_parameters == pytest.approx(675_129_632, rel=0.02)


def test_work_and_disk_follow_from_settings(monkeypatch):
    plan = paper("finediffusion", monkeypatch)
    full, frozen = (next(job for job in plan.kind("finetune") if name in job.name) for name in ("/full", "/bitfit"))
    pictures = 256 * 195_313
    assert work.amounts(full)["train"] == pytest.approx(3 * 237.2e9 * pictures, rel=0.01)
    assert work.amounts(frozen)["train"] == pytest.approx(2 * 237.2e9 * pictures, rel=0.01)
    assert cost.disk(full) == pytest.approx(2 * 4 * 685.5e6, rel=0.03)  # PAPERS' total with 10,001 rows, twice
    (latents,) = plan.kind("latents")
    assert cost.disk(latents) == 500_000 * 2 * 2 * (4 * 32 * 32) * 2  # flips, mean and deviation, half precision
    guided, unguided = (next(j for j in plan.kind("sample") if name in j.name) for name in ("full-s0-null", "-none-1"))
    assert work.amounts(guided)["sample"] == 2 * work.amounts(unguided)["sample"]


def test_what_was_not_measured_says_so():
    for rate in rates.known().values():
        assert rate.low <= rate.rate <= rate.high
        assert rate.basis in ("measured", "estimated")
        assert (rate.basis == "estimated") == ("not measured" in rate.how)


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        ("avx2", "cpu"),
        ("avx2 avx512f avx512_bf16", "cpu-avx512-bf16"),
        ("avx512_bf16 amx_bf16 amx_tile", "cpu-bfloat16"),
    ],
)
def test_a_machine_is_known_by_its_units(flags, kind, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    machine.CPUINFO.write_text(f"model name\t: one\nflags\t\t: fpu {flags} sse\n")
    assert forecast.hardware_here() == kind
    assert {rate.work for rate in rates.known().values() if rate.hardware == kind} >= {"train", "sample"}


def test_a_study_larger_than_the_disk_is_refused(monkeypatch):
    plan = paper("finediffusion", monkeypatch)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**10))
    with pytest.raises(ValueError, match="10 GB free .* does not fit"):
        forecast.check_disk(plan, set())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**13))
    assert "to add" in forecast.check_disk(plan, set())


def test_a_missing_job_says_what_differs_from_the_published_one(here):
    content = yaml.safe_load(Path("studies/smoke.yaml").read_text())
    for job in Plan(parse(content, "smoke")).jobs:
        job.marker.parent.mkdir(parents=True, exist_ok=True)
        inputs = {role: {"digest": source.digest} for role, source in job.inputs.items()}
        job.marker.write_text(json.dumps({"settings": job.settings, "inputs": inputs}))
    content["methods"]["difffit"]["lr"] = 0.5
    said = [line for line in forecast.lines(Plan(parse(content, "smoke"))) if line.startswith("missing")]
    assert [line.split()[1] for line in said] == ["finetune", "evaluate", "sample", "evaluate", "report"]
    assert said[0].endswith("method_settings.lr 0.001 -> 0.5")
    assert f"built on {said[0].split()[2]}" in said[1]


def test_prune_leaves_what_studies_dvc_and_running_jobs_name(here):
    used = Plan(load(Path("studies/smoke.yaml"))).kind("finetune")[0].path
    names = ["recorded-00000001", "unused-00000002"]
    recorded, unused = (Path("runs/embedded-32") / name for name in names)
    for path in (used, recorded, unused):
        path.mkdir(parents=True)
        (path / "provenance.json").write_text("{}")
    manifest = prune.CACHE / "ab" / "c.dir"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps([{"md5": "0", "relpath": "embedded-32/recorded-00000001/provenance.json"}]))
    outs = [{"path": "runs", "md5": "abc.dir"}]
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": {"finetune": {"outs": outs}}}))
    running, left = (Path("scratch") / (letter * 64) for letter in "ef")
    for path in (running, left):
        path.mkdir(parents=True)
    studies = [Path("studies/smoke.yaml")]
    with open(f"{running}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert prune.unused(studies) == [unused, left]
        assert len(list(prune.listing([unused, left]))) == 3
        shutil.rmtree(unused)
        shutil.rmtree(left)
    assert [path.exists() for path in (used, recorded, unused, running, left)] == [True, True, False, True, False]
    manifest.unlink()  # what dvc recorded is not known any more: the whole folder stays
    unused.mkdir()
    (unused / "provenance.json").write_text("{}")
    assert prune.unused(studies) == [running]


@pytest.mark.parametrize(
    ("limit", "expected"), [("1-00:00:00", 1440), ("8:30:00", 510), ("30:00", 30), ("infinite", float("inf"))]
)
def test_time_limits_of_slurm(limit, expected):
    assert doctor.minutes(limit) == expected


def test_doctor_names_what_is_missing(here, monkeypatch):
    monkeypatch.setenv("FINEFIT_MIRROR", str(here / "nowhere"))
    found = {subject: (verdict, what) for verdict, subject, what in doctor.present({"grocery-128"})}
    assert found["sources"][0] == "fails" and "missing grocery-128" in found["sources"][1]
    assert found["mirror"] == ("fails", f"{here / 'nowhere'}: no such folder")


@pytest.mark.parametrize("name, told", [("my study", 1), ("study", 0)])
def test_doctor_knows_that_jobs_of_slurm_fail_below_a_blank(here, monkeypatch, name, told):
    shutil.copytree(here, here / name)
    monkeypatch.chdir(here / name)
    monkeypatch.setattr(doctor, "PROFILE", ROOT / doctor.PROFILE)
    monkeypatch.setattr(doctor.shutil, "which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr(doctor, "output", lambda *command: "cpu|infinite|(null)|up")
    found = [text for _, _, text in doctor.slurm(Plan(load(Path("studies/smoke.yaml"))))]
    assert sum("with a blank" in text for text in found) == told
