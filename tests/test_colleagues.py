"""Two users of one group on one checkout and its artifacts: what the second can do follows from the umask."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import small
from typer.testing import CliRunner

from finefit.commands import app as cli
from finefit.commands.jobs import builder
from finefit.data import sources
from finefit.jobs import faults, store
from finefit.report import site
from finefit.study import reading
from finefit.study.plan import Plan

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
FIRST, SECOND, GROUP = 30_001, 30_002, 30_000
DRAWN = ("--classes", "streaked golden eight-petal flower", "--method", "bitfit", "--count", "1")
READS = (["plan"], ["verify"], ["grid", "a.png", *DRAWN], ["report", "--rebuild"])


def as_user(user: int, umask: int, place: Path, work: Callable[[], object]) -> object:
    """What `work` gives, done by a user of the group in a folder, in a process of its own."""
    reading_end, writing_end = os.pipe()
    if child := os.fork():
        os.close(writing_end)
        with open(reading_end, encoding="utf-8") as said:
            answer = said.read()
        os.waitpid(child, 0)
        return json.loads(answer)
    try:
        os.setgroups([])
        os.setgid(GROUP)
        os.setuid(user)
        os.umask(umask)
        os.chdir(place)
        sources.table.cache_clear()
        answer = work()
    except BaseException as error:
        answer = f"failed: {faults.line(error)}"
    with open(writing_end, "w", encoding="utf-8") as told:
        json.dump(answer, told)
    os._exit(0)


def make(study: Path) -> list[str]:
    """Make all of a study's jobs, pages without a kernel; gives what stands."""
    site.execute = small.without_kernel
    plan = Plan(reading.load(study))
    for job in plan.jobs:
        store.produce(job, builder(job.kind))
    return [str(job.path) for job in plan.jobs]


def command(*words: str) -> Callable[[], str]:
    """A command of `finefit`; gives what it printed, or the line that it ended in."""

    def run() -> str:
        site.execute = small.without_kernel
        done = CliRunner().invoke(cli.app, list(words))
        return done.output if done.exit_code == 0 else faults.line(done.exception)

    return run


@pytest.fixture(scope="module", autouse=True)
def imported(tmp_path_factory) -> None:
    """Everything done once by root: users may not read the folder in which root has its interpreter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site, "execute", small.without_kernel)
        patch.chdir(small.project(tmp_path_factory.mktemp("first") / "warm"))
        sources.table.cache_clear()
        make(Path("params.yaml"))
        for words in READS:
            assert CliRunner().invoke(cli.app, words).exit_code == 0, words
    sources.table.cache_clear()


@pytest.mark.parametrize("umask", [0o002, 0o027], ids=["002", "027"])
def test_a_colleague_reads_all_and_writes_where_the_umask_lets_the_group(umask):
    outer = Path(tempfile.mkdtemp(prefix="finefit-colleagues-"))
    outer.chmod(0o755)
    try:
        place = small.project(outer / "shared")
        for path in (place, *place.rglob("*")):
            if not path.is_symlink():
                os.chown(path, FIRST, GROUP)
                path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)
        made = as_user(FIRST, umask, place, lambda: make(Path("params.yaml")))
        assert isinstance(made, list), made
        assert f" {len(made)}" in as_user(SECOND, umask, place, command("plan"))
        assert "are as they were published" in as_user(SECOND, umask, place, command("verify"))
        own = outer / "second"
        own.mkdir()
        os.chown(own, SECOND, GROUP)
        grid = as_user(SECOND, umask, place, command("grid", str(own / "g.png"), *DRAWN))
        assert grid == f"{own}/g.png\n" and (own / "g.png").stat().st_size > 0
        (own / "further.yaml").write_text(small.study(methods={"bitfit": {"lr": 2e-3}}), encoding="utf-8")
        report = as_user(SECOND, umask, place, command("report", "--rebuild"))
        further = as_user(SECOND, umask, place, lambda: make(own / "further.yaml"))
        if umask == 0o002:
            assert "The report: reports/smoke/index.html" in report
            assert isinstance(further, list) and len(set(further) - set(made)) >= 3, further
            assert isinstance(as_user(FIRST, umask, place, lambda: make(own / "further.yaml")), list)
            owners = {path.stat().st_uid for path in place.glob("runs/**/delta.safetensors")}
            assert owners == {FIRST, SECOND}
        else:
            for said in (report, further):
                assert f"belongs to user {FIRST} and user {SECOND} may not do that; copy the project, or have" in said
                assert "chmod -R g+w" in said and "\n" not in said
        assert "are as they were published" in as_user(SECOND, umask, place, command("verify"))
    finally:
        shutil.rmtree(outer)
