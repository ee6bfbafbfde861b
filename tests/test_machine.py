"""What rights, disks, memory and other people's checkouts do to a study: nothing, or one line that says what."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import BASE, BASE_FILE, ROOT, TRAIN, fine_tuned, run_of

from finefit.commands.jobs import BUILDERS
from finefit.deltas import published
from finefit.deltas.delta import load_delta, save_delta
from finefit.deltas.network import network
from finefit.jobs import borders, faults, states, store, tensors
from finefit.jobs.job import PHASES, Job
from finefit.models import checkpoint
from finefit.outlook import cost, doctor, needs, work
from finefit.rehearsal import run, studies
from finefit.study import reading
from finefit.study.plan import Plan
from finefit.training import state
from finefit.training.optimizer import Optimizer

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root has a second user, and mounts disks")


# Rights.


@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o022, 0o644, 0o755), (0o002, 0o664, 0o775), (0o027, 0o640, 0o750)]
)
def test_what_is_published_has_the_rights_that_the_umask_gives(tmp_path, monkeypatch, umask, file, folder):
    monkeypatch.chdir(tmp_path)

    def build(job: Job, out: Path, scratch: Path) -> None:
        tensors.save({"x": torch.ones(2)}, out / "a.safetensors")
        (out / "sub").mkdir(mode=0o700)
        with open(os.open(out / "sub/b", os.O_CREAT | os.O_WRONLY, 0o600), "w") as opened:
            opened.write("b")

    before = os.umask(umask)
    try:
        job = Job("data", "toy", {"number": 1})
        store.produce(job, build)
        save_delta(tmp_path / "delta.safetensors", {"x": torch.ones(2)}, {}, None)
        found = {path: stat.S_IMODE(path.stat().st_mode) for path in [job.path, *job.path.rglob("*")]}
        assert {mode for path, mode in found.items() if path.is_file()} == {file}
        assert {mode for path, mode in found.items() if path.is_dir()} == {folder}
        assert stat.S_IMODE((tmp_path / "delta.safetensors").stat().st_mode) == file
    finally:
        os.umask(before)


# Disks.


@needs_root
@pytest.mark.parametrize("small", ["scratch", "latents", "samples", "reports"])
def test_the_folder_whose_disk_is_full_is_the_one_that_is_named(tmp_path, monkeypatch, small):
    """On a disk of 64 kB of its own, whichever of the folders that a job writes to it is."""
    monkeypatch.chdir(tmp_path)
    Path(small).mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path / small)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    kind = next(kind for kind, (_, folder) in PHASES.items() if folder == small or small == "scratch")

    def build(job: Job, out: Path, scratch: Path) -> None:
        (out / "a").write_bytes(bytes(10**6))

    try:
        with pytest.raises(OSError) as raised:
            store.produce(Job(kind, "toy", {}), build)
        assert faults.line(raised.value).startswith(f"{tmp_path / small}: its disk is full; free some")
        if small != "scratch":  # nor can the doctor publish there
            said = {subject: (verdict, what) for verdict, subject, what in doctor.folders()}
            assert said[small][0] == "fails" and said[small][1].startswith(f"{tmp_path / small}: its disk is full")
            assert all(verdict != "fails" for folder, (verdict, _) in said.items() if folder != small)
    finally:
        subprocess.run(["umount", str(tmp_path / small)], check=True)


def test_a_full_disk_is_named_by_the_file_that_was_written(tmp_path, monkeypatch):
    """Also where the library names none, and where what was written is taken away again."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    for path, named in {"runs/a/b": "runs", "elsewhere/c": "."}.items():
        with pytest.raises(OSError) as raised, borders.writing(Path(path)):
            raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 576 vs 470")
        assert faults.line(raised.value).startswith(f"{(tmp_path / named).absolute()}: its disk is full")
    copied = shutil.Error([("scratch/x", "runs/.x.partial/x", "[Errno 28] No space left on device")])
    assert faults.line(copied).startswith(f"{tmp_path / 'runs'}: its disk is full")
    target = OSError(errno.ENOSPC, "No space left on device", "data/base/x", None, "runs/.x.partial/x")  # as copyfile's
    assert faults.line(target).startswith(f"{tmp_path / 'runs'}: its disk is full")
    assert "up to your quota" in faults.line(OSError(errno.EDQUOT, "Disk quota exceeded", "runs/x"))


# Memory.

HUGE = 10**14  # numbers, more than any address space takes


@pytest.mark.parametrize("allocate", [lambda: torch.empty(HUGE), lambda: np.ones(HUGE), lambda: bytearray(HUGE)])
def test_memory_that_is_short_is_told_as_such_and_no_file_is_blamed(tmp_path, monkeypatch, allocate):
    file = tmp_path / "a.pt"
    torch.save({"step": 3}, file)
    monkeypatch.setattr(torch, "load", lambda *_, **__: allocate())
    for read in (allocate, lambda: checkpoint.read(file), lambda: states.read(file, {"step": 0})):
        with pytest.raises((MemoryError, RuntimeError)) as raised:
            read()
        assert re.match(r"out of memory \(.+\); lower batch_size, or use more$", faults.line(raised.value))
    assert file.exists() and not file.with_suffix(".damaged").exists()


# States.


def saved_state(folder: Path, model) -> tuple[Path, Optimizer]:
    """A state after one step of training `model`, and an optimizer that could take it up."""
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    made = Optimizer(trained, dict.fromkeys(trained, 1e-3), SimpleNamespace(**TRAIN))
    for leaf in made.leaves(torch.tensor([0]), 0):
        leaf.grad = torch.ones_like(leaf)
    made.step(0)
    state.save(folder / "state.pt", made, torch.zeros(()), 1, [])
    return folder / "state.pt", made


def alterations(content: dict, place: tuple = ()) -> Iterator[tuple[str, dict]]:
    """A state without each of its entries but an optimizer's own numbers, and with another value in each."""
    for key, value in content.items():
        path = ".".join(map(str, (*place, key)))
        if path.startswith("optimizer.adamw.state"):
            continue
        yield f"without {path}", {name: kept for name, kept in content.items() if name != key}
        yield f"other {path}", content | {key: "other"}
        if isinstance(value, torch.Tensor):
            yield f"shape of {path}", content | {key: torch.zeros(7, 7, 7)}
        elif isinstance(value, dict):
            for what, inner in alterations(value, (*place, key)):
                yield what, content | {key: inner}


def test_a_state_of_other_content_is_put_aside_before_anything_is_taken_up(tmp_path, capsys):
    model = network(run_of("bitfit"), BASE)
    file, optimizer = saved_state(tmp_path, model)
    whole = torch.load(file, weights_only=True)
    assert state.load(file, optimizer, torch.zeros(())) == (1, [])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    others = dict(alterations(whole)) | {"a list": [1], "a tensor": torch.ones(3), "nothing": {}}
    assert len(others) > 100
    like = {"step": 0, "record": [], "since_record": torch.zeros(()), "optimizer": optimizer.state_dict()}
    for what, content in others.items():
        assert states.difference(content, states.outline(like)).startswith("state"), what
    for what in ("a list", "other step", "without optimizer.table"):
        torch.save(others[what], file)
        assert state.load(file, optimizer, torch.zeros(())) == (0, []), what
        said = capsys.readouterr().err
        assert said.startswith(f"{file}: of another training (state") and "put aside as state.damaged" in said, what
        assert (tmp_path / "state.damaged").exists() and not file.exists()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


# Checkpoints.


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("back", [False, True], ids=["cast", "cast back"])
def test_a_run_that_was_cast_is_imported_with_the_rounding_named(tmp_path, latents, half, back):
    model, average = fine_tuned(run_of("difffit"), latents, tmp_path)
    save_delta(tmp_path / "delta.safetensors", average, run_of("difffit"), None)
    exported = published.published_state(load_delta(tmp_path / "delta.safetensors", BASE, None))
    cast = {name: value.to(half).to(torch.float32 if back else half) for name, value in exported.items()}
    plain = run_of("full")  # as DiffFit's scale factors are merged into the weights
    taken = published.trained_part(cast, network(plain, BASE), Path("cast.pt"))
    assert all(torch.equal(taken[name], exported[name].to(half).float()) for name in taken)
    assert published.rounding(cast) == half and published.rounding(exported) is None
    bits = run_of("bitfit")
    model = network(bits, BASE)
    as_cast = {name: value.to(half) for name, value in model.state_dict().items()}
    assert published.trained_part(as_cast, model, Path("cast.pt")).keys() == model.trained
    name = "blocks.0.attn.qkv.weight"
    with pytest.raises(ValueError, match=f"{name} is not the base's, and the method keeps it"):
        published.trained_part(as_cast | {name: as_cast[name] * 1.5}, model, Path("cast.pt"))


def test_a_base_that_lacks_or_changes_any_tensor_is_refused_by_its_name(tmp_path):
    whole = checkpoint.read(BASE_FILE)
    faulty = {f"without {name}": {k: v for k, v in whole.items() if k != name} for name in whole}
    faulty |= {f"flat {name}": whole | {name: value.flatten()} for name, value in whole.items() if value.dim() > 1}
    for what, content in faulty.items():
        with pytest.raises(ValueError) as raised:
            shape = checkpoint.shape_of(content, Path("base.pt"))
            checkpoint.check(content, shape, Path("base.pt"))
        lost = what.startswith("without") and what.endswith("attn.qkv.weight")  # by these the blocks are counted
        said = faults.expected(raised.value)
        assert said.startswith("base.pt: ") and ("are none of DiT's sizes" if lost else what.split()[1]) in said, what


# Other people's checkouts, and interpreters.


@needs_root
def test_a_checkout_of_another_user_is_told_with_gits_own_remedy(tmp_path, monkeypatch):
    who = ["-c", "user.name=a", "-c", "user.email=a@localhost"]
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    subprocess.run(["git", *who, "commit", "--quiet", "--allow-empty", "--message=a"], cwd=tmp_path, check=True)
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, 12345, 12345)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    ((verdict, subject, said),) = doctor.checkout()
    assert (verdict, subject) == ("note", "git") and "user 12345" in said
    remedy = re.search(r"run `(git config --global --add safe\.directory .+)`", said)[1]
    subprocess.run(remedy.split(), check=True)
    ((verdict, _, said),) = doctor.checkout()
    assert verdict == "ok" and said.startswith("commit ")


def test_what_stands_says_so_and_how_it_is_made_again(tmp_path, monkeypatch, capsys):
    """What `snakemake -R` and `-F` come to."""
    monkeypatch.chdir(tmp_path)
    for kind, remedy in {
        "finetune": "delete that folder to make it again",
        "report": "`finefit report --rebuild`",
    }.items():
        job = Job(kind, "toy", {})
        for _ in range(2):
            store.produce(job, lambda job, out, scratch: (out / "a").write_text("a"))
        assert f"{job.path}: stands; {remedy}" in capsys.readouterr().out


# Kinds of jobs.

STUDIES = ["params", *(file.stem for file in sorted((ROOT / "studies").glob("*.yaml")))]


@pytest.mark.parametrize("name", STUDIES)
def test_every_job_of_every_study_is_known_to_forecast_rehearsal_and_rules(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    plan = Plan(reading.load(Path("params.yaml" if name == "params" else f"studies/{name}.yaml")))
    for job in {job.kind + job.settings.get("method", ""): job for job in plan.jobs}.values():
        assert needs.mem_mb(job, attempt=1) >= 500 and needs.minutes(job, attempt=1) >= 30
        assert cost.disk(job) >= 0 and cost.state(job) >= 0 and min(cost.seconds(job, "cpu")) > 0
        assert all(cost.shape(job, kind) is not None for kind, amount in work.amounts(job).items() if amount)
    for on_gpu in (False, True):
        tasks = run.tasks([Plan(part) for part in studies.derived(plan.study, on_gpu)], on_gpu)
        assert {task.job.kind for task in tasks} == {job.kind for job in plan.jobs} - {"utility"}
        assert all(task.job.settings["pictures"] <= 64 for task in tasks if task.job.kind == "source")


def test_every_kind_of_job_has_its_memory_its_command_and_its_rule():
    rules = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "workflow/rules").glob("*.smk")))
    for kind in PHASES:
        assert f"\nrule {kind}:" in f"\n{rules}" and f'**asked("{kind}")' in rules
    assert needs.OF_KIND.keys() == PHASES.keys() == BUILDERS.keys()
