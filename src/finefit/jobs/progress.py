"""Progress of long work: a bar with the time left on a terminal, plain lines in a log, a file for those who watch."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from finefit.jobs import parts
from finefit.jobs.whole import whole

Item = TypeVar("Item")
SECONDS_BETWEEN_LINES = 15.0
FILE = "progress.json"  # in a job's scratch folder

_folder: Path | None = None  # the scratch folder of the job that this process makes


class Reached(NamedTuple):
    """How far the work that a job is at has come: so many of a total, in a few words of what."""

    what: str
    done: int
    total: int


def tell_in(scratch: Path) -> None:
    """Have `progress` also tell how far it is in this folder, for `reached`."""
    global _folder
    _folder = scratch


def tell(now: Reached) -> None:
    """Write how far the work is, whole at any moment, where somebody may watch; no job fails for want of a watcher."""
    if _folder is not None:
        with suppress(OSError), whole(_folder / FILE) as partial:
            partial.write_text(json.dumps(now))


def reached(scratch: Path) -> Reached | None:
    """How far the job is that works in this folder; None where it has not told yet."""
    file = scratch / FILE
    try:
        return Reached(*json.loads(file.read_text()))
    except FileNotFoundError:
        return None


def progress(items: Iterable[Item], what: str, done: int = 0, total: int | None = None) -> Iterator[Item]:
    """Yield `items`, saying on standard error how many of `total` are finished and the time left; see also `tell_in`.

    Args:
        items: what to go through; `total` defaults to `done` plus its length.
        what: the work's name, a few words.
        done: how many were finished by an earlier, interrupted run.
    """
    total = done + len(items) if total is None else total
    start = last = told = time.monotonic()
    terminal = sys.stderr.isatty()
    begun, counted = parts.now(), 0
    tell(Reached(what, done, total))
    for number, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        finished = done + number == total
        due = now - last >= (0.2 if terminal else SECONDS_BETWEEN_LINES)
        if number == 1 or finished or due:  # not at each: to ask for the processor's time takes longer than some items
            parts.add(what, number - counted, begun)
            begun, counted = parts.now(), number
        if finished or now - told >= 1:
            told = now
            tell(Reached(what, done + number, total))
        if not finished and not due:
            continue
        last, left = now, (now - start) / number * (total - done - number)
        line = f"{what}: {done + number}/{total}, {clock(now - start)} so far, {clock(left)} left"
        print(
            f"\r\033[K{line}" if terminal else line,
            end="" if terminal and not finished else "\n",
            file=sys.stderr,
            flush=True,
        )


def clock(seconds: float) -> str:
    """Seconds as `h:mm:ss` or `m:ss`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def earlier_seconds(scratch: Path) -> float:
    """Seconds that interrupted attempts spent up to the state they left, so that a job's cost is counted whole."""
    try:
        return float((scratch / "seconds").read_text())
    except (FileNotFoundError, ValueError):  # none, or a kill came while they were written
        return 0.0


def keep_seconds(scratch: Path, seconds: float) -> None:
    """Keep what `earlier_seconds` will say after an interruption."""
    (scratch / "seconds").write_text(str(seconds))
