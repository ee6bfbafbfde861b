"""Snakemake's events, shown: lines that stay (failures, drafts, the report), above a screen that is renewed.

Off a terminal there is no screen and every job that ends is a line. What Snakemake itself says goes to its log, but for
its errors that are no job's, and for the word that there is nothing to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from logging import WARNING, LogRecord
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from finefit.jobs.progress import clock
from finefit.screen.state import State
from finefit.screen.view import screen, summary
from finefit.study import turns
from finefit.study.plan import Plan

OF_JOBS = {"RuleException", "CalledProcessError", "WorkflowError"}  # what Snakemake raises where a job failed
NOTHING, LOGS = "Nothing to be done", "Complete log(s)"  # how lines of Snakemake's begin


class Display:
    """What one sees of a run. A record with `plan` begins it; one that is `told` is a line of the workflow's own."""

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic):
        self.console, self.now = console, now
        self.state: State | None = None
        self._live: Live | None = None
        self._held: list[str] = []  # what Snakemake said; shown in the end where neither a job nor an error was
        self._spoken = False
        self._drafts: dict[str, turns.Draft] = {}

    def handle(self, record: LogRecord) -> None:
        """Take in one record of Snakemake's log, and say what it means."""
        own: dict[str, Any] = record.__dict__
        event, text = own.get("event"), str(own["msg"] or "")
        if "plan" in own:
            self.begin(own["plan"])
        elif event is None or self.state is None:
            if self.matters(record, text):
                self.say(text)
                self._spoken = True
            elif event is None and not self._spoken:
                self._held.append(text)
        elif event == "run_info":
            self._spoken = True
            self.show()
        elif event == "job_info" and own["log"]:  # a rule without a log only gathers what others made
            artifact, (log, *_) = own["wildcards"].get("artifact", ""), own["log"]
            self.state.began(own["jobid"], own["rule_name"], artifact, log, self.now())
        elif event == "job_finished" and own["job_id"] in self.state.running:
            self.ended(own["job_id"])
        elif event == "job_error" and own["jobid"] in self.state.running:
            self.failed(own["jobid"])
        elif event == "error" and not (self.state.failed and own["exception"] in OF_JOBS):
            self.say(text)
            self._spoken = True

    def matters(self, record: LogRecord, text: str) -> bool:
        """Whether a line that is no event of a job is shown."""
        failed = self.state is not None and bool(self.state.failed)
        if failed:
            return text.startswith(LOGS) or "told" in record.__dict__
        return record.levelno >= WARNING or text.startswith(NOTHING) or "told" in record.__dict__

    def begin(self, plan: Plan) -> None:
        """Take up a study, and say how far it is."""
        self.state = State(plan)
        self._drafts = {draft.marker.stem: draft for draft in turns.drafts(plan)}
        self.say(summary(self.state, self.now()))

    def show(self) -> None:
        """Let the screen stand on a terminal, from now on until `close`."""
        if self.console.is_terminal and self._live is None:
            self._live = Live(console=self.console, get_renderable=self.picture, refresh_per_second=4, transient=True)
            self._live.start()

    def picture(self) -> RenderableType:
        """The screen at this moment."""
        return screen(self.state, self.now()) if self.state else ""

    def ended(self, number: int) -> None:
        """Say that a job is done: off a terminal of every job, on it of those that give something to look at."""
        assert self.state is not None
        running, seconds = self.state.ended(number, self.now())
        if not self.console.is_terminal:
            self.say(f"{summary(self.state, self.now())}; {running.kind} {running.name} in {clock(seconds)}")
        if draft := self._drafts.get(running.name):
            of = f"{draft.seeds} of {len(self.state.plan.study.seeds)} seeds"
            self.say(f"Draft after {of}{', no intervals yet' if draft.seeds == 1 else ''}: {draft.path}/index.html")
        elif running.kind == "report":
            self.say(f"The report: {self.state.plan.report.path}/index.html")
        elif running.job is None:  # none of the study's: what it found is what it says
            self.say("\n".join(running.says()))

    def failed(self, number: int) -> None:
        """Say that a job failed, why, and where all that it said stands."""
        assert self.state is not None
        running, why = self.state.broke(number)
        self.say(f"failed: {running.kind} {running.name}: {why}", style="red")
        self.say(f"  its log: {running.log}")

    def say(self, text: str, style: str = "") -> None:
        """Write lines that stay."""
        self.console.print(Text(text, style), soft_wrap=True)

    def close(self) -> None:
        """Take the screen away; what stays is how far the study is, or all that was said where no job was to run."""
        for text in [] if self._spoken else self._held:
            self.say(text)
        if self._live is not None and self.state is not None:
            self._live.stop()
            self._live = None
            self.say(summary(self.state, self.now()))
