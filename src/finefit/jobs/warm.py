"""Jobs that start warm: a process that has imported what they need is forked for each, instead of a new Python.

A run of Snakemake on this machine starts one such process (`start`), and it ends with that run. The command of a job
looks for it (`handed_over`) and gives it all that makes the job its own: arguments, environment, folder, standard
streams. The fork is in the run's process group, under its limits, and holds the job's lock itself. The command stays
and stands for it: SIGTERM is passed on, the job's exit code is the command's, and a command that is killed takes its
job with it. Where there is no warm process, or it does not answer, a job starts cold, as ever.

Linux alone: elsewhere system libraries do not survive a fork. Nor does a GPU's driver, so none is started where one is.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

ADDRESS = "FINEFIT_WARM"  # environment: name of the warm process's socket
GPU_DRIVERS = ("/dev/nvidiactl", "/dev/kfd")
WAITING = 128  # commands that the socket holds while the process still imports
NUMBER = struct.Struct("i")  # of a job's process, then its exit code
KILLED = 128 + signal.SIGKILL  # what a shell says of a command that ended without a word


def start(program: list[str]) -> None:
    """Start a warm process that lives as long as this one, and name it to the commands that this one runs.

    Args:
        program: the words that call `finefit`.
    """
    if sys.platform != "linux" or any(map(os.path.exists, GPU_DRIVERS)):
        return
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("")  # a name of the kernel's choice, in no file system: nothing is left of it after a kill
        listener.listen(WAITING)
        number = listener.fileno()
        process = subprocess.Popen(
            [*program, "warm", str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[number],
        )
        os.environ[ADDRESS] = listener.getsockname()[1:].decode()
    atexit.register(process.communicate)  # closes its standard input, as a kill does, and waits for its end


def handed_over(words: list[str]) -> int | None:
    """Have the warm process run a command; gives its exit code, None where the command has to be run here.

    Args:
        words: the command as `sys.argv` has it.
    """
    name = os.environ.pop(ADDRESS, None)  # what the command starts itself starts cold
    if name is None:
        return None
    request = {"words": words, "environment": dict(os.environ), "folder": os.getcwd()}
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.connect(f"\0{name}")
            if not same_user(line):
                return None
            socket.send_fds(line, [b"?"], [0, 1, 2])
            line.sendall(json.dumps(request).encode() + b"\n")
            (job,) = NUMBER.unpack(line.recv(NUMBER.size, socket.MSG_WAITALL))
        except (OSError, struct.error):  # it has ended, or does not run this
            return None
        pass_on_requests_to_stop(line, job)
        answer = line.recv(NUMBER.size, socket.MSG_WAITALL)
        return NUMBER.unpack(answer)[0] if answer else KILLED


def pass_on_requests_to_stop(line: socket.socket, job: int) -> None:
    """Send every SIGTERM that this process hears to the job, until that has something to say."""
    heard, wakes = socket.socketpair()
    wakes.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno())  # a handler by itself would wait for the end of a call that just began
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    while line not in select.select([line, heard], [], [])[0]:
        heard.recv(1)
        os.kill(job, signal.SIGTERM)


def same_user(line: socket.socket) -> bool:
    """Whether the process at the other end belongs to this user: names of sockets are anyone's to take."""
    _, user, _ = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return user == os.getuid()


def serve(number: int, prepare: Callable[[list[str]], None], run: Callable[[], None]) -> None:
    """Fork a process for every command that is handed over, until standard input closes.

    Args:
        number: the listening socket's file descriptor.
        prepare: imports what a command needs, given as `sys.argv` has it; raises where the command is not to be forked.
        run: runs the command that `sys.argv` then is.
    """
    with socket.socket(fileno=number) as listener:
        os.register_at_fork(after_in_child=listener.close)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            line, _ = listener.accept()
            with line:
                fork(line, prepare, run)
            bury()
    bury()


def fork(line: socket.socket, prepare: Callable[[list[str]], None], run: Callable[[], None]) -> None:
    """Fork a process for the command that is handed over through `line`; see `serve`."""
    if not same_user(line):
        return
    streams: list[int] = []
    try:
        _, streams, _, _ = socket.recv_fds(line, 1, 3)
        request = json.loads(line.makefile().readline())
        prepare(request["words"])
        if alone() and os.fork() == 0:
            become(line, request, streams, run)
    except Exception:
        return  # the command starts cold, and says what is wrong
    finally:
        for stream in streams:
            os.close(stream)


def bury() -> None:
    """Take note of forks that have ended; their times are then counted as this process's."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def alone() -> bool:
    """Whether this process has one thread; a fork would have none of the others, but the locks that they hold."""
    return len(list(Path("/proc/self/task").iterdir())) == 1


def become(line: socket.socket, request: dict, streams: list[int], run: Callable[[], None]) -> NoReturn:
    """Be the command that was handed over: run it, tell its exit code and end."""
    code = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.stdout.reconfigure(line_buffering=True)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.argv[:] = request["words"]
        own = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # the thread is to get none of them
        threading.Thread(target=end_with, args=(line,), daemon=True).start()
        signal.pthread_sigmask(signal.SIG_SETMASK, own)
        line.sendall(NUMBER.pack(os.getpid()))
        run()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    finally:
        with suppress(OSError):  # nobody may listen any more
            sys.stdout.flush()
            sys.stderr.flush()
            line.sendall(NUMBER.pack(code))
        os._exit(code)


def end_with(line: socket.socket) -> None:
    """Kill this process once the command that it stands for is gone."""
    with suppress(OSError):  # a command that was killed before it read this job's number resets the line
        line.recv(1)  # which it never sends
    os.kill(os.getpid(), signal.SIGKILL)
