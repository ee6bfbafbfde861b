"""Packs: encoded by several processes at once, whole or not at all, and checked on demand."""

from __future__ import annotations

import json
import multiprocessing
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from finefit.hierarchy import index
from finefit.jobs.checksums import checksum
from finefit.latents import encode as encoder
from finefit.latents import pack as reading
from finefit.latents.encode import pack
from finefit.latents.pack import Pack

ROWS = 40


class Counted:
    """A codec whose latents are the first pixel of a picture; its deviation is half of that."""

    def encode(self, images):
        mean = images[:, 0, 0, :1, None, None].float() * torch.ones(1, 4, 2, 2)
        return mean, mean / 2

    def to(self, device):
        return self


def read(start: int, stop: int) -> np.ndarray:
    return np.arange(start, stop, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(encoder, "SHARD_ROWS", 8)
    monkeypatch.setattr(encoder, "BATCH", 3)
    monkeypatch.setattr(encoder, "SECONDS_BETWEEN_LOOKS", 0.01)


def encoding(folder, log, number):
    def slowly(start, stop):
        with open(log, "a") as file:
            file.write(f"{number} {start}\n")
        encoder.time.sleep(0.01)
        return read(start, stop)

    pack(folder, slowly, np.arange(ROWS), Counted(), finish=number == 0)


def test_processes_encode_disjoint_shards_and_the_first_waits_for_all(tmp_path):
    folder, log = tmp_path / "pack", tmp_path / "log"
    folder.mkdir()
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=encoding, args=(folder, log, number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    lines = [line.split() for line in log.read_text().splitlines()]
    starts = [int(start) for _, start in lines]
    assert sorted(starts) == [shard + batch for shard in range(0, ROWS, 8) for batch in (0, 3, 6)]  # each once
    assert len({worker for worker, _ in lines}) > 1
    opened = Pack(folder)
    rows = np.random.default_rng(0).permutation(ROWS)
    drawn = opened.sample(rows, rows % 2, torch.ones(ROWS, 4, 2, 2))
    assert torch.equal(drawn[:, 0, 0, 0], torch.tensor(rows) * 1.5) and opened.labels.tolist() == list(range(ROWS))


def test_the_files_are_what_numpy_saves(tmp_path):
    """So that packs keep their bytes, and anything can read them."""
    pack(tmp_path / "pack", read, np.zeros(10, int), Counted())
    mean = np.ones((8, 2, 1, 4, 2, 2), np.float16) * np.arange(8, dtype=np.float16)[:, None, None, None, None, None]
    np.save(tmp_path / "expected.npy", np.concatenate([mean, mean / 2], 2))
    assert (tmp_path / "pack/latents-00000.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()
    assert sorted(path.name for path in (tmp_path / "pack").iterdir()) == [
        "index.json", "labels.npy", "latents-00000.npy", "latents-00001.npy",
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 5, 8])
def test_samples_are_mean_and_noise_times_deviation_however_many(tmp_path, monkeypatch, count):
    """Batches smaller than, no multiple of, and a multiple of what is read at once; flips chosen one by one."""
    random = np.random.default_rng(0)
    stored = random.standard_normal((ROWS, 2, 2, 3, 2, 5)).astype(np.float16)
    (tmp_path / "pack").mkdir()
    for number in range(2):
        np.save(tmp_path / f"pack/latents-{number:05d}.npy", stored[number * 24 : (number + 1) * 24])
    np.save(tmp_path / "pack/labels.npy", np.zeros(ROWS, np.int64))
    (tmp_path / "pack/index.json").write_text(json.dumps({"count": ROWS, "shard_rows": 24}))
    monkeypatch.setattr(reading, "VIEWS_AT_ONCE", 4)
    rows, flips = random.integers(ROWS, size=count), random.integers(2, size=count)
    noise = torch.from_numpy(random.standard_normal((count, 3, 2, 5)).astype(np.float32))
    mean, deviation = torch.from_numpy(stored[rows, flips].astype(np.float32)).unbind(1)
    assert torch.equal(Pack(tmp_path / "pack").sample(rows, flips, noise), mean + deviation * noise)


def test_latents_without_deviation_are_given_as_they_are(tmp_path):
    class Certain(Counted):
        def encode(self, images):
            return super().encode(images)[0], None

    pack(tmp_path / "pack", read, np.zeros(10, int), Certain())
    drawn = Pack(tmp_path / "pack").sample(np.array([9, 3]), np.array([1, 0]), torch.full((2, 4, 2, 2), torch.nan))
    assert torch.equal(drawn, torch.tensor([9.0, 3.0])[:, None, None, None].expand(2, 4, 2, 2))


def test_a_helper_leaves_a_published_pack_alone(tmp_path):
    pack(tmp_path / "gone", read, np.zeros(10, int), Counted(), finish=False)
    assert not (tmp_path / "gone").exists()


def test_the_job_publishes_the_pack_and_nothing_else(tmp_path, monkeypatch):
    from finefit import codecs

    monkeypatch.setattr(codecs, "load", lambda settings: Counted())
    table = pd.DataFrame({"class_id": np.arange(10), "place": np.arange(10)})
    monkeypatch.setattr(index, "read_index", lambda data, split: table)
    monkeypatch.setattr(
        index, "read_pictures", lambda data, part, size: read(part["place"].iloc[0], part["place"].iloc[-1] + 1)
    )
    job = SimpleNamespace(inputs={"data": None}, settings={"resolution": 8, "codec": {}})
    out, scratch = tmp_path / "scratch/out", tmp_path / "scratch"
    out.mkdir(parents=True)
    encoder.build(job, out, scratch)
    assert Pack(out).count == 10 and not list(out.glob("*.partial")) and not (scratch / "pack").exists()


def test_a_shard_is_verified_on_demand(tmp_path):
    pack(tmp_path / "pack", read, np.zeros(10, int), Counted())
    files = {path.name: checksum(path) for path in (tmp_path / "pack").iterdir()}
    (tmp_path / "pack/provenance.json").write_text(json.dumps({"files": files}))
    opened = Pack(tmp_path / "pack")
    opened.verify(0)
    opened.verify(1)
    damaged = tmp_path / "pack/latents-00001.npy"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    opened.verify(0)
    with pytest.raises(ValueError, match=r"latents-00001\.npy: altered since it was published"):
        opened.verify(1)


def test_a_shard_cut_short_is_never_read_as_zeros(tmp_path):
    pack(tmp_path / "pack", read, np.zeros(10, int), Counted())
    damaged = tmp_path / "pack/latents-00001.npy"
    damaged.write_bytes(damaged.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"latents-00001\.npy: damaged"):
        Pack(tmp_path / "pack").sample(np.array([9]), np.array([1]), torch.zeros(1, 4, 2, 2))


def test_a_missing_shard_is_told_when_the_pack_is_opened(tmp_path):
    pack(tmp_path / "pack", read, np.zeros(10, int), Counted())
    (tmp_path / "pack/latents-00001.npy").unlink()
    with pytest.raises(ValueError, match="1 shards instead of 2"):
        Pack(tmp_path / "pack")
