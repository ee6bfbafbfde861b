"""A warm process makes a job as the job's own command would, and what is done to the command is done to the job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from finefit.jobs import warm
from finefit.jobs.locks import claimed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no warm process elsewhere")

# A `finefit` whose jobs say who they are, then do what their second word says.
FINEFIT = """
import os, signal, sys, time
from pathlib import Path
from finefit.jobs import warm
from finefit.jobs.locks import only_one

def prepare(words):
    if words[1] == "unknown":
        raise KeyError(words[1])

def told(*_):
    sys.exit(75)

def run():
    signal.signal(signal.SIGTERM, told)
    print(os.getpid(), os.getppid(), os.getpgid(0), os.getcwd(), os.environ.get("OWN"), *sys.argv[1:], flush=True)
    match sys.argv[2]:
        case "ends":
            pass
        case "fails":
            sys.exit("finefit: why")
        case "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        case "waits":
            with only_one(Path("lock"), "lock"):
                print("locked", flush=True)
                while True:
                    time.sleep(0.05)

if sys.argv[1] == "warm":
    warm.serve(int(sys.argv[2]), prepare, run)
else:
    code = warm.handed_over(sys.argv)
    sys.exit("cold" if code is None else code)
"""
STARTER = """
import os, sys
from finefit.jobs import warm

warm.GPU_DRIVERS = ()
warm.start(sys.argv[1:])
print(os.environ[warm.ADDRESS], flush=True)
input()
"""


@pytest.fixture
def starter(tmp_path, monkeypatch):
    """A process that has started a warm one, which this process's environment names."""
    (tmp_path / "finefit.py").write_text(FINEFIT)
    words = [sys.executable, "-c", STARTER, *program(tmp_path)]
    with subprocess.Popen(words, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        monkeypatch.setenv(warm.ADDRESS, process.stdout.readline().strip())
        yield process
        process.kill()


def program(folder: Path) -> list[str]:
    """The words that call that `finefit`; -P, since it bears the package's name."""
    return [sys.executable, "-P", str(folder / "finefit.py")]


def command(folder: Path, *words: str, cwd: str = ".", **environment: str) -> subprocess.Popen:
    """A running command of that `finefit`, in the folder that it stands in or one below."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    own = {"cwd": folder / cwd, "env": os.environ | environment}
    return subprocess.Popen([*program(folder), *words], text=True, **own, **pipes)


def eventually(happens: Callable[[], bool]) -> bool:
    """Whether something happens within a minute; it should within moments."""
    end = time.monotonic() + 60
    while not happens() and time.monotonic() < end:
        time.sleep(0.02)
    return happens()


def gone(process: int) -> bool:
    """Whether a process has ended, buried or not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_job_is_forked_with_all_that_is_its_commands_own(starter, tmp_path):
    (tmp_path / "here").mkdir()
    parents = set()
    for value in ("one", "two"):
        asked = command(tmp_path, "finetune", "ends", "a path", cwd="here", OWN=value)
        said, wrong = asked.communicate()
        job, parent, group, *rest = said.split(maxsplit=3)
        parents.add(parent)
        assert int(job) != asked.pid and int(group) == os.getpgid(0)
        assert rest == [f"{tmp_path}/here {value} finetune ends a path\n"]
        assert (asked.returncode, wrong) == (0, "")
    assert len(parents) == 1


def test_a_job_that_fails_says_so_where_its_command_does(starter, tmp_path):
    asked = command(tmp_path, "finetune", "fails")
    assert asked.communicate()[1] == "finefit: why\n" and asked.returncode == 1


def test_a_job_that_was_killed_is_its_commands_failure(starter, tmp_path):
    assert command(tmp_path, "finetune", "dies").wait() == 128 + signal.SIGKILL


def test_a_request_to_stop_reaches_the_job_and_its_answer_comes_back(starter, tmp_path):
    asked = command(tmp_path, "finetune", "waits")
    assert asked.stdout.readline() and asked.stdout.readline() == "locked\n"
    assert eventually(lambda: hears_sigterm(asked.pid))
    asked.terminate()
    assert asked.wait() == 75


def hears_sigterm(pid: int) -> bool:
    """Whether a process has a handler of SIGTERM."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_command_that_is_killed_takes_its_job_and_the_jobs_lock_with_it(starter, tmp_path, how):
    asked = command(tmp_path, "finetune", "waits")
    job = int(asked.stdout.readline().split()[0])
    assert asked.stdout.readline() == "locked\n"
    with claimed(tmp_path / "lock") as free:
        assert not free
    asked.send_signal(how)
    asked.wait()
    assert eventually(lambda: gone(job))
    with claimed(tmp_path / "lock") as free:
        assert free


def test_what_cannot_be_prepared_starts_cold(starter, tmp_path):
    assert command(tmp_path, "unknown", "ends").communicate()[1] == "cold\n"
    assert command(tmp_path, "finetune", "ends").wait() == 0


def test_a_warm_process_outlives_nobody_and_jobs_then_start_cold(starter, tmp_path):
    said, _ = command(tmp_path, "finetune", "ends").communicate()
    process = int(said.split()[1])
    starter.kill()
    assert eventually(lambda: gone(process))
    assert command(tmp_path, "finetune", "ends").communicate()[1] == "cold\n"


def test_a_running_job_outlives_whoever_started_the_warm_process(starter, tmp_path):
    asked = command(tmp_path, "finetune", "waits")
    process = int(asked.stdout.readline().split()[1])
    assert asked.stdout.readline() == "locked\n"
    starter.kill()
    assert eventually(lambda: gone(process)) and asked.poll() is None
    asked.terminate()
    assert asked.wait() == 75


def test_another_users_warm_process_is_not_trusted(starter, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert warm.handed_over(["finefit", "finetune", "ends"]) is None
