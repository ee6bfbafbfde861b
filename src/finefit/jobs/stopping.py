"""Stopping in good order: a job that is told to end keeps its state, and says that it is to be continued.

Schedulers tell a job by SIGTERM, at its time limit or when they need the machine; a person by `--max-minutes`. A loop
that keeps a state asks `asked()` at its step boundaries; work that never asks is stopped where it is, which costs no
more than a kill: nothing is published before it is whole.
"""

from __future__ import annotations

import signal

EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: run the same command again

_told = False
_loop_asks = False


class ToBeContinued(Exception):
    """The job was told to stop; the same command goes on from what it kept."""


def listen(minutes: float | None = None) -> None:
    """Hear SIGTERM from now on, and an alarm after that many minutes."""
    signal.signal(signal.SIGTERM, tell)
    signal.signal(signal.SIGALRM, tell)
    if minutes is not None:
        signal.setitimer(signal.ITIMER_REAL, 60 * minutes)


def tell(*_: object) -> None:
    """Remember that the job must stop; stop at once unless a loop asks, or it stops already.

    Raises:
        ToBeContinued: no loop has asked yet.
    """
    global _told
    again, _told = _told, True
    if not _loop_asks and not again:
        raise ToBeContinued


def asked() -> bool:
    """Whether the job was told to stop. Who asks has to stop by itself: keep the state, then raise `ToBeContinued`."""
    global _loop_asks
    _loop_asks = True
    return _told
