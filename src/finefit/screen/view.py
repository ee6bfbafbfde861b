"""The state of a run as one screen: phases, jobs done of all, the time left, a bar for each running job."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from finefit.jobs.progress import clock
from finefit.outlook.time_left import told
from finefit.screen.state import State

BAR = 24  # columns


def screen(state: State, now: float) -> RenderableType:
    """What stands on the terminal while a study runs."""
    return Group(head(state, now), phases(state), jobs(state, now))


def head(state: State, now: float) -> RenderableType:
    """The study's name, jobs done of all, and the time left with its bounds."""
    total = len(state.plan.jobs)
    table = Table.grid(padding=(0, 2))
    table.add_row(
        Text(state.plan.study.name, style="bold"),
        ProgressBar(total, state.done, BAR),
        Text(summary(state, now).partition(": ")[2], overflow="ellipsis", no_wrap=True),
    )
    return table


def summary(state: State, now: float) -> str:
    """A study's name, jobs done of all and time left, in a line."""
    done, total = state.done, len(state.plan.jobs)
    rest = f", {told(state.left(now))}" if done < total else ""
    return f"{state.plan.study.name}: {done} of {total} jobs{rest}"


def phases(state: State) -> Text:
    """Jobs done of all in each phase: a tick for those that are done, bold for those under way."""
    under_way = {running.job.phase for running in state.running.values() if running.job}
    text = Text("  ")
    for count in state.phases():
        done, alone = count.done == count.total, count.total == 1
        said = "\N{CHECK MARK}" if done else "" if alone else f"{count.done}/{count.total}"
        style = "dim" if done else "bold" if count.phase in under_way else ""
        text.append(f"{count.phase}\N{NO-BREAK SPACE}{said}".rstrip("\N{NO-BREAK SPACE}"), style).append("  ")
    return text


def jobs(state: State, now: float) -> Table:
    """A row for each running job: what it makes, how much of it is done, at what it is, and since when."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="ellipsis", no_wrap=True)
    table.add_column(width=BAR)
    table.add_column(overflow="ellipsis", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for running in state.running.values():
        share, what = state.share(running, now)
        bar = ProgressBar(1.0, share, BAR)
        table.add_row(f"  {running.kind}", running.name, bar, what, clock(now - running.since))
    return table
