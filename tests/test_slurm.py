"""The smoke study on a real SLURM (tests/slurm/cluster), through the repository's profile: `make test-slurm`.

First it is rehearsed there, in one job. Then, while it runs, a job is cancelled, a job is requeued, and the node's
daemon is killed and restarted. The study must end in the bytes of an undisturbed run without SLURM, and nothing that
was published may be made again.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clones import Clone, clone_here
from debian import provide

from finefit.jobs.job import PHASES, Job
from finefit.outlook import doctor, needs
from finefit.study.plan import Plan
from finefit.study.reading import load

pytestmark = pytest.mark.slurm

CLUSTER = Path(__file__).parent / "slurm" / "cluster"
PROFILE = ["--workflow-profile", "workflow/profiles/slurm"]
HERE = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2"]  # small, no accounting


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    provide(("slurmctld", "slurmd", "munged", "sbatch"), ("slurmctld", "slurmd", "slurm-client", "munge"))
    started = subprocess.run([CLUSTER, "start"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if started.returncode == 69:
        pytest.skip(started.stderr.strip().splitlines()[-1])
    assert started.returncode == 0, started.stderr
    yield
    subprocess.run([CLUSTER, "stop"], check=True)


def running(rule: str) -> list[str]:
    """Ids of the rule's jobs that run now."""
    listed = subprocess.check_output(["squeue", "--noheader", "--states=RUNNING", "--format=%i %k"], text=True)
    return [line.split()[0] for line in listed.splitlines() if re.search(rf"rule_{rule}(_|$)", line)]


def control(*words: str) -> str:
    return subprocess.check_output(["scontrol", *words], text=True)


def disturbances(run: Job) -> Iterator[str | None]:
    """Does one thing after another to the cluster, each when its moment has come; gives what it did, or None yet.

    `run` is one of the study's fine-tunings, which all ask for the same.
    """
    while not (jobs := running("finetune")):
        yield None
    asked = control("show", "job", jobs[0])
    assert "gres:gpu:1" in asked and f"MinMemoryNode={needs.mem_mb(run, attempt=1)}M" in asked
    assert doctor.minutes(re.search(r"TimeLimit=(\S+)", asked)[1]) == needs.minutes(run, attempt=1)
    subprocess.run(["scancel", jobs[0]], check=True)
    yield f"cancelled job {jobs[0]}"
    while not (others := [job for job in running("finetune") if job != jobs[0]]):
        yield None
    control("requeue", others[0])
    while f"JobId={others[0]} " in control("show", "job", others[0]) and others[0] in running("finetune"):
        yield None
    yield f"requeued job {others[0]}"
    while "PENDING" not in control("show", "job", others[0]):
        yield None
    control("update", f"JobId={others[0]}", "StartTime=now")  # SLURM would hold it for two minutes
    while not running("sample"):
        yield None
    subprocess.run([CLUSTER, "restart-node"], check=True)
    yield "killed and restarted slurmd"


def published(clone: Clone) -> dict[str, int]:
    """Inode of every published marker: an artifact that is made again gets another. (Snakemake touches outputs.)"""
    folders = {folder for _, folder in PHASES.values()}
    return {str(m): m.stat().st_ino for folder in folders for m in (clone.root / folder).rglob("provenance*.json")}


def test_a_study_is_rehearsed_on_the_node(cluster, tmp_path):
    clone = clone_here(tmp_path)
    on_the_node = False
    with clone.start("snakemake", "rehearse", *PROFILE, *HERE) as rehearsing:
        while rehearsing.poll() is None:
            on_the_node = on_the_node or bool(running("rehearse"))
            time.sleep(0.5)
    assert rehearsing.returncode == 0 and on_the_node
    said = re.sub("^smoke: ", "", (clone.root / "logs/rehearsals/smoke.log").read_text(), flags=re.MULTILINE)
    print(said)
    plan = Plan(load(clone.root / "params.yaml"))
    for kind in {job.kind for job in plan.jobs}:
        assert re.search(rf"^{kind} .* s +[\d.]+ [MG]B", said, re.MULTILINE), kind
    assert said.strip().splitlines()[-1] == "Nothing that was rehearsed would fail."
    assert published(clone) == {} and not (clone.root / "rehearsals/smoke").exists()
    assert "rehearsed on this machine" in clone("finefit", "plan")


def test_a_disturbed_study_ends_as_the_undisturbed_one(cluster, tmp_path):
    local = clone_here(tmp_path / "local")
    start = time.monotonic()
    local("snakemake")
    print(f"\nwithout SLURM: {time.monotonic() - start:.0f} s")
    clone, seen, done = clone_here(tmp_path / "slurm"), {}, []
    run = Plan(load(clone.root / "params.yaml")).kind("finetune")[0]
    start = time.monotonic()
    with open(tmp_path / "said", "w") as said, clone.start("snakemake", *PROFILE, *HERE, stdout=said) as study:
        moments = disturbances(run)
        while study.poll() is None:
            for marker, identity in published(clone).items():
                assert seen.setdefault(marker, identity) == identity, f"{marker}: made twice"
            if did := next(moments, None):
                done.append(did)
                print(f"{time.monotonic() - start:5.0f} s: {did}")
            time.sleep(0.5)
    print(f"with SLURM: {time.monotonic() - start:.0f} s")
    assert study.returncode == 0, (tmp_path / "said").read_text()
    assert [what.split()[0] for what in done] == ["cancelled", "requeued", "killed"]
    assert clone.files() == local.files()
    assert "are as they were published" in clone("finefit", "verify")
    assert clone.missing() == []
