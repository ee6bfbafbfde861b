"""What one sees of a run, from Snakemake's events and no clock: a screen on a terminal, a line a job elsewhere."""

from __future__ import annotations

import json
import logging
from io import StringIO
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from snakemake.settings.types import OutputSettings
from snakemake_interface_logger_plugins.common import LogEvent

from finefit.jobs import progress, store
from finefit.jobs.job import PHASES, Job
from finefit.screen.display import Display
from finefit.study import reading, turns
from finefit.study.plan import Plan
from snakemake_logger_plugin_finefit import LogHandler

ROOT = Path(__file__).parents[1]


@pytest.fixture
def plan(tmp_path, monkeypatch) -> Plan:
    """The smoke study with two methods and two seeds, of which nothing is made."""
    monkeypatch.chdir(ROOT)
    content = yaml.safe_load(Path("studies/smoke.yaml").read_text(encoding="utf-8")) | {"seeds": [0, 1]}
    content["methods"] = {name: content["methods"][name] for name in ("bitfit", "difffit")}
    planned = Plan(reading.parse(content, "test"))
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    return planned


class Run:
    """A display that is given events at times that the test sets; `said` is what its terminal or file has."""

    def __init__(self, plan: Plan, terminal: bool):
        self.time, self.file, self.numbers = 0.0, StringIO(), {}
        console = Console(file=self.file, force_terminal=terminal, width=100, no_color=True, highlight=False)
        self.display = Display(console, lambda: self.time)
        self.event("smoke: 0 of 99 jobs", plan=plan)

    def event(self, text: str | None = None, level: int = logging.INFO, **own: object) -> None:
        self.display.handle(logging.makeLogRecord({"msg": text, "levelno": level, **own}))

    def begin(self, job: Job) -> None:
        number = self.numbers.setdefault(job.digest, len(self.numbers) + 1)
        artifact = str(job.path.relative_to(PHASES[job.kind][1]))
        self.info(number, job.kind, artifact)

    def info(self, number: int, rule: str, artifact: str) -> None:
        wildcards = {"artifact": artifact}
        self.event(
            event=LogEvent.JOB_INFO,
            jobid=number,
            rule_name=rule,
            wildcards=wildcards,
            local=True,
            log=[f"{artifact}.log"],
        )

    def end(self, job: Job) -> None:
        self.event(event=LogEvent.JOB_FINISHED, job_id=self.numbers[job.digest])

    def fail(self, job: Job) -> None:
        self.event("Error in rule", logging.ERROR, event=LogEvent.JOB_ERROR, jobid=self.numbers[job.digest])

    @property
    def said(self) -> str:
        return self.file.getvalue()

    @property
    def screen(self) -> list[str]:
        """The lines of the screen at this moment."""
        file = StringIO()
        Console(file=file, width=100, no_color=True).print(self.display.picture())
        return [line.rstrip() for line in file.getvalue().splitlines()]


def test_off_a_terminal_a_line_a_job(plan):
    run, (first, second) = Run(plan, terminal=False), plan.kind("finetune")[:2]
    total = len(plan.jobs)
    assert run.said.startswith(f"smoke: 0 of {total} jobs, about ")
    assert "left (" in run.said
    run.begin(first)
    run.begin(second)
    run.time = 65.0
    run.end(second)
    *_, line = run.said.splitlines()
    assert line.startswith(f"smoke: 1 of {total} jobs, about ")
    assert line.endswith(f"finetune {second.name} in 1:05")
    assert len(run.said.splitlines()) == 2, "a job that begins is no line"


def test_the_screen_shows_phases_jobs_and_a_bar_for_each_running_job(plan):
    run, (first, second) = Run(plan, terminal=True), plan.kind("finetune")[:2]
    for job in (first, second):
        run.begin(job)
    scratch = store.SCRATCH / first.digest
    scratch.mkdir(parents=True)
    (scratch / progress.FILE).write_text(json.dumps(["training steps", 3, 4]))
    run.time = 30.0
    head, phases, *bars = run.screen
    assert head.startswith("smoke ")
    assert f"0 of {len(plan.jobs)} jobs, about " in head
    assert phases.split("  ")[1:] == [
        *("data", "hierarchy", "base", "latents", "finetune\N{NO-BREAK SPACE}0/4", "sample\N{NO-BREAK SPACE}0/4"),
        *("evaluate\N{NO-BREAK SPACE}0/11", "report"),
    ]
    (one, other) = bars
    assert one.split()[:2] == ["finetune", first.name]
    assert one.endswith("training steps 3/4  0:30")
    assert second.name in other
    run.end(second)
    head, phases, *bars = run.screen
    assert f"1 of {len(plan.jobs)} jobs" in head
    assert "finetune\N{NO-BREAK SPACE}1/4" in phases
    assert len(bars) == 1
    assert "\n" not in run.said.partition("left (")[2].strip(), "what ends leaves no line on a terminal"


def test_the_time_left_falls_while_jobs_run_and_grows_where_they_are_slow(plan):
    run, jobs = Run(plan, terminal=True), plan.kind("finetune")
    before = run.display.state.left(0.0).middle
    run.begin(jobs[0])
    assert run.display.state.left(1.0).middle == pytest.approx(before - 0.5), "two cores share the second that is over"
    run.time = 10_000.0
    run.end(jobs[0])
    assert run.display.state.left(run.time).middle > before


def test_a_failure_is_told_with_its_reason_and_its_log(plan):
    run, job = Run(plan, terminal=True), plan.kind("finetune")[0]
    run.begin(job)
    store.note_failure(store.SCRATCH / job.digest, MemoryError())
    run.fail(job)
    assert f"failed: finetune {job.name}: out of memory" in run.said
    assert f"its log: {job.path.relative_to('runs')}.log" in run.said
    run.event("RuleException: exit status 1", logging.ERROR, event=LogEvent.ERROR, exception="RuleException")
    run.event("Exiting because a job execution failed. Look below for error messages", logging.ERROR)
    assert "RuleException" not in run.said and "Exiting" not in run.said, "the same once more"
    run.event("Complete log(s): /x/y.snakemake.log")
    assert "Complete log(s): /x/y.snakemake.log" in run.said
    run.begin(job)
    assert not run.display.state.failed, "it is tried again"


def test_a_job_that_noted_no_reason_failed_for_the_last_that_it_said(plan):
    run, (first, second) = Run(plan, terminal=True), plan.kind("finetune")[:2]
    for job in (first, second):
        run.begin(job)
    log = run.display.state.running[1].log
    log.parent.mkdir(parents=True)
    log.write_text("training steps: 3/4\nfinefit: told to stop, to be continued\n\n")
    run.fail(first)
    run.fail(second)
    assert f"failed: finetune {first.name}: finefit: told to stop, to be continued\n" in run.said
    assert f"failed: finetune {second.name}: it said nothing\n" in run.said


def test_what_a_rehearsal_found_is_shown_when_it_ends(plan):
    run = Run(plan, terminal=True)
    own = {"jobid": 7, "rule_name": "rehearse", "wildcards": {}, "log": ["rehearsal.log"]}
    run.event(event=LogEvent.JOB_INFO, **own)
    Path("rehearsal.log").write_text("every kind of job runs here\n")
    run.event(event=LogEvent.JOB_FINISHED, job_id=7)
    assert run.said.endswith("every kind of job runs here\n")


def test_faults_that_are_no_jobs_are_shown_as_snakemake_says_them(plan):
    run = Run(plan, terminal=True)
    run.event("Building DAG of jobs...")
    run.event("WorkflowError: no such rule", logging.ERROR, event=LogEvent.ERROR, exception="WorkflowError")
    run.event("Nothing to be done (all requested files are present and up to date).")
    assert "Building" not in run.said
    assert run.said.splitlines()[1:] == [
        "WorkflowError: no such rule",
        "Nothing to be done (all requested files are present and up to date).",
    ]
    early = Display(Console(file=(file := StringIO()), width=100))
    early.handle(
        logging.makeLogRecord({"msg": "params.yaml:3: seeds", "event": LogEvent.ERROR, "levelno": logging.ERROR})
    )
    assert file.getvalue() == "params.yaml:3: seeds\n", "before there is a study"


def test_what_snakemake_lists_is_shown_and_what_it_says_of_a_run_is_not(plan):
    lists, runs = Run(plan, terminal=False), Run(plan, terminal=False)
    for run, last in ((lists, {}), (runs, {"event": LogEvent.RUN_INFO})):
        run.event("phase_data")
        run.event("Job stats: ...", **last)
        run.event("Select jobs to execute...")
        run.display.close()
    assert lists.said.splitlines()[1:] == ["phase_data", "Job stats: ...", "Select jobs to execute..."]
    assert len(runs.said.splitlines()) == 1


def test_the_address_of_a_draft_is_told_when_it_is_drawn(plan):
    run, (draft,) = Run(plan, terminal=True), turns.drafts(plan)
    run.info(50, "draft", draft.marker.stem)
    assert any(line.split()[:2] == ["draft", draft.marker.stem] for line in run.screen)
    run.event(event=LogEvent.JOB_FINISHED, job_id=50)
    assert "Draft after 1 of 2 seeds, no intervals yet: scratch/drafts/smoke/index.html" in run.said


@pytest.mark.parametrize("asked", [{"verbose": True}, {"printshellcmds": True}, {"dryrun": True}])
def test_snakemake_speaks_itself_where_it_is_asked_to(asked, capsys):
    handler = LogHandler(OutputSettings(stdout=True, nocolor=True, **asked), None)
    handler.emit(logging.makeLogRecord({"msg": "Building DAG of jobs...", "levelno": logging.INFO}))
    handler.close()
    assert not handler.shows
    assert "Building DAG of jobs..." in capsys.readouterr().out


def test_a_fault_of_the_display_stops_nothing(plan, capsys):
    handler = LogHandler(OutputSettings(stdout=True), None)
    handler.emit(logging.makeLogRecord({"msg": None, "event": LogEvent.JOB_INFO, "plan": "no plan", "levelno": 20}))
    handler.close()
    assert handler.shows
    assert "Logging error" in capsys.readouterr().err


def test_progress_is_told_whole_where_a_job_works(tmp_path, monkeypatch):
    assert progress.reached(tmp_path) is None
    monkeypatch.setattr(progress, "_folder", None)
    progress.tell_in(tmp_path)
    seen = [progress.reached(tmp_path) for _ in progress.progress(range(2), "steps", done=2)]
    assert seen == [("steps", 2, 4), ("steps", 2, 4)], "told at the beginning, then each second"
    assert progress.reached(tmp_path) == ("steps", 4, 4)
