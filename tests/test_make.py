"""`make study` plans first, and starts an engine only where that leaves it something to do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder with a study, and engines that only write down how they were called."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/ready").touch()
    (tmp_path / "studies").mkdir()
    for study in ("params.yaml", "studies/small.yaml"):
        (tmp_path / study).write_text("name: small\n")
    for engine in ("snakemake", "dvc"):
        program(tmp_path, engine, f'echo "{engine} $*" >> called')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def program(project: Path, name: str, script: str) -> None:
    path = project / ".venv/bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def called(project: Path, plan: str, *words: str) -> tuple[int, str]:
    """Exit code of `make study` where the plan is what a script says, and the engines' calls."""
    program(project, "finefit", plan)
    made = subprocess.run(["make", "-f", MAKEFILE, "-o", ".venv/ready", "study", *words], capture_output=True)
    return made.returncode, (project / "called").read_text() if (project / "called").exists() else ""


def test_a_study_that_is_made_starts_no_engine(project):
    assert called(project, "echo phase", "STUDY=small") == (0, "")
    assert called(project, "echo phase") == (0, "")  # without git


def test_a_missing_job_is_snakemakes(project):
    expected = (0, "snakemake --configfile studies/small.yaml\n")
    assert called(project, "echo missing  sample; echo phase", "STUDY=small") == expected


def test_under_git_dvc_records_whatever_is_there(project):
    (project / ".git").mkdir()
    assert called(project, "echo phase") == (0, "dvc repro\n")


@pytest.mark.parametrize("words", [[], ["STUDY=small"]])
def test_a_study_that_cannot_be_planned_starts_nothing(project, words):
    code, engines = called(project, "exit 1", *words)
    assert code != 0 and engines == ""


def test_a_failure_of_snakemake_is_makes(project):
    program(project, "snakemake", "exit 3")
    assert called(project, "echo missing", "STUDY=small") == (2, "")
