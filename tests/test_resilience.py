"""What a study survives: requests to stop, two runs at once, altered files; and what `finefit prune` removes."""

from __future__ import annotations

import json
import shutil
import signal
import time

import pytest
from clones import Clone

from finefit.jobs import locks

STOPS = f"""
import os, sys
from finefit import cli
if sys.argv[1] == "warm":  # which makes the run's jobs
    from finefit.training import train
    draw = train.draw
    def stopped(pack, embedder, references, settings, seed, step, *rest):
        if step == 10:
            os.kill(os.getpid(), {signal.SIGTERM:d})
        return draw(pack, embedder, references, settings, seed, step, *rest)
    train.draw = stopped
cli.main()
"""


def remove(clone: Clone, *patterns: str) -> None:
    """Delete the artifacts that match."""
    for pattern in patterns:
        (folder,) = clone.root.glob(pattern)
        shutil.rmtree(folder)


@pytest.mark.workflow
def test_a_job_told_to_stop_is_continued_by_a_retry_and_ends_in_the_same_bytes(smoke):
    files = smoke.files()
    remove(smoke, "runs/embedded-32/difffit-s0-*")
    smoke.amend(STOPS)
    said = smoke("snakemake", "--retries", "1")
    assert "failed: finetune embedded-32/difffit-s0: finefit: told to stop, to be continued" in said
    assert smoke.files() == files


@pytest.mark.workflow
def test_a_job_out_of_minutes_says_that_it_is_to_be_continued(smoke):
    (run,) = smoke.root.glob("runs/embedded-32/bitfit-s0-*")
    shutil.rmtree(run)
    stopped = smoke.start("finefit", "finetune", str(run.relative_to(smoke.root)), "--max-minutes", "0.0001")
    assert "to be continued" in stopped.communicate()[0] and stopped.returncode == 75
    assert not run.exists()


@pytest.mark.workflow
def test_two_runs_at_once_make_each_artifact_once(smoke):
    """Both find that the first job of each is being made, here by this process."""
    files = smoke.files()
    (run,) = smoke.root.glob("runs/embedded-32/finediffusion-s0-*")
    lock = smoke.root / f"scratch/{json.loads((run / 'provenance.json').read_text())['digest']}.lock"
    remove(
        smoke,
        "runs/embedded-32/finediffusion-s0-*",
        "samples/embedded-32/bitfit-s0-*",
        "samples/embedded-32/difffit-s0-*",
    )
    with locks.only_one(lock, "the run"):
        runs = [smoke.start("snakemake") for _ in range(2)]
        while not any("; waiting" in log.read_text(encoding="utf-8") for log in smoke.root.glob("logs/runs/*/*.log")):
            assert [run.poll() for run in runs] == [None, None]
            time.sleep(0.1)
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "\n".join(said)
    assert smoke.files() == files


@pytest.mark.workflow
def test_an_altered_file_is_named_and_refused_until_its_artifact_is_made_again(smoke):
    files = smoke.files()
    (run,) = smoke.root.glob("runs/embedded-32/bitfit-s0-*")
    content = bytearray((run / "delta.safetensors").read_bytes())
    content[-1] ^= 1
    (run / "delta.safetensors").write_bytes(content)
    where = run.relative_to(smoke.root)
    advice = f"{where}/delta.safetensors: altered since it was published; delete {where} and repeat"
    assert advice in smoke("finefit", "verify", ok=False)
    remove(smoke, "samples/embedded-32/bitfit-s0-*")
    assert advice in smoke("snakemake", ok=False)
    shutil.rmtree(run)
    smoke("snakemake")
    assert smoke.files() == files
    assert "are as they were published" in smoke("finefit", "verify")
