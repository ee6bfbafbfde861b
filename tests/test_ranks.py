"""One run in several processes, in parts of a batch, and in several attempts: the same losses and weights."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest
import torch
from tiny import BASE, TRAIN, fine_tuned, run_of

from finefit.deltas.network import network
from finefit.jobs import ranks, stopping
from finefit.latents.pack import Pack
from finefit.training import train
from finefit.training.learning_rate import peak_rates


def twenty_steps(pack, folder) -> None:
    """Train for 20 steps, a record each; the first rank writes its losses and averages. Rank 1 is told to stop at 5."""
    train.STEPS_PER_RECORD = 1
    torch.set_num_threads(1)
    draw = train.draw

    def told(pack, embedder, references, settings, seed, step, *rest):
        if step == 5 and ranks.number() == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return draw(pack, embedder, references, settings, seed, step, *rest)

    train.draw = told
    model = network(run_of("difffit"), BASE)
    settings = SimpleNamespace(**TRAIN | {"steps": 20, "batch_size": 5})
    average, record = train.train(
        model, peak_rates(model, 1e-3, {}), Pack(pack), settings, ["null"], 0, folder / "state"
    )
    if ranks.number() == 0:
        torch.save({"losses": torch.tensor([row["loss"] for row in record]), "average": average}, folder / "result")


def test_two_ranks_stop_together_and_train_as_one(latents, tmp_path, monkeypatch):
    """Twenty steps of a batch that two ranks cannot halve, one of which is told to stop: losses equal to 1e-6."""
    for name in ("STEPS_PER_RECORD", "draw"):
        monkeypatch.setattr(train, name, getattr(train, name))  # put back after the run in this process
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    ranks.launch(twenty_steps, 1, latents.folder, folders[0])
    with pytest.raises(stopping.ToBeContinued):
        ranks.launch(twenty_steps, 2, latents.folder, folders[1])
    assert not (folders[1] / "result").exists()
    ranks.launch(twenty_steps, 2, latents.folder, folders[1])
    one, two = (torch.load(folder / "result", weights_only=True) for folder in folders)
    assert len(one["losses"]) == 20
    torch.testing.assert_close(two["losses"], one["losses"], rtol=1e-6, atol=0)
    whole, shared = (torch.cat([value.flatten() for value in run["average"].values()]) for run in (one, two))
    assert (whole - shared).norm() < 1e-4 * whole.norm()


def one_picture_a_step(pack, folder) -> None:
    """Two steps of a batch of one, of which a second rank has no share."""
    torch.set_num_threads(1)
    model = network(run_of("difffit"), BASE)
    settings = SimpleNamespace(**TRAIN | {"steps": 2, "batch_size": 1})
    average, _ = train.train(model, peak_rates(model, 1e-3, {}), Pack(pack), settings, ["null"], 0, folder / "state")
    if ranks.number() == 0:
        torch.save(average, folder / "result")


def test_a_batch_may_be_smaller_than_the_ranks(latents, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for number, folder in enumerate(folders, start=1):
        folder.mkdir()
        ranks.launch(one_picture_a_step, number, latents.folder, folder)
    one, two = (torch.load(folder / "result", weights_only=True) for folder in folders)
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-6, atol=1e-7)


def killed() -> None:
    """What the system does to a rank that takes too much memory; the other waits for it."""
    if ranks.number() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    ranks.any_rank(True)


def test_a_killed_rank_ends_the_job_with_a_line():
    with pytest.raises(
        ValueError, match="^killed: rank 1 by signal 9, as the system does when memory is short; repeat$"
    ):
        ranks.launch(killed, 2)


def test_ranks_are_as_many_as_gpus_or_as_the_environment_says(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert ranks.wanted() == 1
    monkeypatch.setenv("FINEFIT_RANKS", "2")
    assert ranks.wanted() == 2
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert ranks.wanted() == 4


def diverges() -> None:
    """What a rank does whose loss is not finite."""
    raise ValueError("training diverged: lower the rate")


def test_what_a_rank_ends_with_is_told_by_the_process_that_launched_it():
    with pytest.raises(ValueError, match="^training diverged: lower the rate$"):
        ranks.launch(diverges, 2)


def test_gradients_are_accumulated_where_memory_is_short():
    """Six rows on a device that holds two: halved until they fit, and the gradient is the whole mean's."""
    weight = torch.tensor([2.0], requires_grad=True)
    sizes = []

    def losses(part):
        sizes.append(len(part["t"]))
        if len(part["t"]) > 2:
            raise torch.OutOfMemoryError
        return weight * part["t"]

    batch = {"t": torch.arange(6.0)}
    loss, rows = train.backward(losses, batch, 6, 6, [weight])
    assert weight.grad == 2.5 and loss == 5.0  # the mean of 0..5, and twice that
    assert (rows, sizes) == (1, [6, 3] + 6 * [1])


def test_a_row_that_no_memory_holds_is_an_error():
    def losses(part):
        raise torch.OutOfMemoryError("too small")

    weight = torch.ones(1, requires_grad=True)
    with pytest.raises(torch.OutOfMemoryError):
        train.backward(losses, {"t": torch.ones(4)}, 4, 4, [weight])


def test_told_to_stop_between_records_it_goes_on_to_the_same_bytes(latents, tmp_path, monkeypatch):
    (tmp_path / "cut").mkdir()
    _, whole = fine_tuned(run_of("finediffusion"), latents, tmp_path)
    answers = iter([False, True])
    monkeypatch.setattr("finefit.jobs.stopping.asked", lambda: next(answers))
    with pytest.raises(stopping.ToBeContinued):
        fine_tuned(run_of("finediffusion"), latents, tmp_path / "cut")
    monkeypatch.setattr("finefit.jobs.stopping.asked", lambda: False)
    _, resumed = fine_tuned(run_of("finediffusion"), latents, tmp_path / "cut")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
