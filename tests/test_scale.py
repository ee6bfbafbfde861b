"""Scores of any number of pictures: arrays in files, made and read by parts; the same numbers; what a job asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from finefit import metrics
from finefit.evaluation import judge, pictures, reference
from finefit.evaluation.pictures import Pictures
from finefit.evaluation.real import Real
from finefit.jobs import arrays
from finefit.jobs.arrays import Chosen, OnDisk, gathered, save
from finefit.metrics import diversity, frechet, head, kernel, manifold
from finefit.outlook import cost, needs
from finefit.study import reading
from finefit.study.plan import Plan

ROOT = Path(__file__).parents[1]


@pytest.fixture
def stored(tmp_path) -> tuple[np.ndarray, OnDisk]:
    """Features far from zero, where sums lose digits, and the same in a file."""
    features = (np.random.default_rng(0).normal(size=(500, 7)) * np.arange(1, 8) + 100).astype(np.float32)
    np.save(tmp_path / "features.npy", features)
    return features, OnDisk(tmp_path / "features.npy")


# Arrays in files


def test_rows_of_a_file_are_those_of_the_array(stored):
    features, file = stored
    assert len(file) == 500 and file.shape == (500, 7)
    chance = np.random.default_rng(1)
    for rows in (slice(None), slice(3, 9), slice(490, 700), slice(8, 3), chance.permutation(500), np.array([499, 0, 0]),
                 chance.random(500) < 0.3, np.zeros(0, np.int64)):  # fmt: skip
        assert np.array_equal(file[rows], features[rows])


def test_rows_far_apart_are_read_one_by_one(stored, monkeypatch):
    features, file = stored
    monkeypatch.setattr(arrays, "STRETCH", 0)
    rows = np.array([499, 3, 250, 3])
    assert np.array_equal(file[rows], features[rows])
    some = Chosen(file, rows)
    assert len(some) == 4 and np.array_equal(some[1:3], features[[3, 250]])


def test_a_file_that_was_cut_off_is_refused_by_name(stored):
    path = stored[1].path
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"features\.npy: damaged .*delete"):
        OnDisk(path)


def test_what_was_made_before_a_kill_is_not_made_again(tmp_path):
    whole = np.random.default_rng(2).normal(size=(23, 3)).astype(np.float32)
    asked = []

    def make(rows: slice) -> dict[str, np.ndarray]:
        asked.append(rows.start)
        if rows.start == 15 and len(asked) == 4:
            raise KeyboardInterrupt
        return {"a": whole[rows], "b": whole[rows].argmax(1)}

    with pytest.raises(KeyboardInterrupt):
        gathered(tmp_path / "seen", 23, make, "rows", batch=5)
    torn = tmp_path / "seen.partial/a.npy"
    torn.write_bytes(torn.read_bytes() + b"half a row")  # as a kill in the middle of a write leaves it
    found = gathered(tmp_path / "seen", 23, make, "rows", batch=5)
    assert asked == [0, 5, 10, 15, 15, 20]
    assert np.array_equal(found["a"][:], whole) and np.array_equal(found["b"][:], whole.argmax(1))
    np.save(tmp_path / "as-numpy.npy", whole)
    save(found["a"], tmp_path / "second.npy")
    assert (tmp_path / "second.npy").read_bytes() == (tmp_path / "as-numpy.npy").read_bytes()


def test_a_kill_between_the_first_files_leaves_nothing_half_there(tmp_path):
    def make(rows: slice) -> dict[str, np.ndarray]:
        return {"a": np.arange(rows.start, rows.stop), "b": -np.arange(rows.start, rows.stop)}

    before = gathered(tmp_path / "whole", 7, make, "rows", batch=3)
    partial = tmp_path / "seen.partial"
    partial.mkdir()
    (partial / "names.json").write_text('["a", "b"]')
    (partial / "a.npy").write_bytes(before["a"].path.read_bytes()[: before["a"].offset + 24])
    found = gathered(tmp_path / "seen", 7, make, "rows", batch=3)
    assert found["a"][:].tolist() == [0, 1, 2, 3, 4, 5, 6] and found["b"][:].tolist() == [0, -1, -2, -3, -4, -5, -6]


# The same numbers by parts


def test_statistics_by_parts_are_numpys_own(stored, monkeypatch):
    features, file = stored
    mean, covariance = frechet.statistics(file)  # one part
    assert np.array_equal(mean, features.astype(np.float64).mean(0))
    monkeypatch.setattr(metrics, "PART_BYTES", 8 * 7 * 13)  # thirteen rows
    mean, covariance = frechet.statistics(file)
    exact = features.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(0), rtol=1e-10)
    np.testing.assert_allclose(covariance, np.cov(exact, rowvar=False), rtol=1e-10, atol=1e-10 * exact.var())


def test_a_kernel_distance_by_parts_is_that_of_the_definition(monkeypatch):
    chance = np.random.default_rng(5)
    x, y = chance.normal(size=(30, 6)), chance.normal(size=(41, 6)) + 0.3

    def mean(a: np.ndarray, b: np.ndarray, same: bool) -> float:
        pairs = [(i, j) for i in range(len(a)) for j in range(len(b)) if not (same and i == j)]
        return np.mean([(a[i] @ b[j] / 6 + 1) ** 3 for i, j in pairs])

    monkeypatch.setattr(metrics, "PART_BYTES", 8 * 129 * 4)  # four or five rows
    expected = mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)
    assert kernel.squared_discrepancy(x, y) == pytest.approx(expected, rel=1e-10)


def test_of_a_large_class_the_pairs_of_a_draw_are_looked_at(monkeypatch):
    """All pairs of 5,000 pictures would be 200 MB, twice."""
    monkeypatch.setattr(diversity, "MEMBERS", 6)
    images, looked_at = torch.arange(40, dtype=torch.uint8)[:, None, None, None].expand(40, 2, 2, 3), set()

    def distance(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        looked_at.update(left[:, 0, 0, 0].tolist(), right[:, 0, 0, 0].tolist())
        return torch.ones(len(left))

    diversity.class_diversities(images, torch.zeros(40, dtype=torch.int64), distance, 100, seed=0)
    assert len(looked_at) == 6


def test_distances_by_blocks_are_those_of_all_pairs(monkeypatch, tmp_path):
    chance = np.random.default_rng(3)
    real, generated = chance.normal(size=(60, 4)), chance.normal(size=(45, 4)) + 0.2
    np.save(tmp_path / "real.npy", real)
    apart = np.sqrt(np.square(generated[:, None] - real[None]).sum(-1))
    before = manifold.precision_recall(real, generated), manifold.density_coverage(real, generated)
    monkeypatch.setattr(manifold, "BATCH", 7)
    monkeypatch.setattr(manifold, "BLOCK", 11)
    file = OnDisk(tmp_path / "real.npy")
    assert (manifold.precision_recall(file, generated), manifold.density_coverage(file, generated)) == before
    np.testing.assert_allclose(manifold.nearest(generated, file, 3).numpy(), np.sort(apart, 1)[:, :3])
    assert np.array_equal(manifold.nearest_rows(generated, file), apart.argmin(1))


def test_of_many_pictures_a_draw_is_compared_with_all_training_pictures(monkeypatch):
    chance = np.random.default_rng(4)
    train, many = chance.normal(size=(50, 3)), chance.normal(size=(40, 3))
    every = manifold.gaps(many, train)
    monkeypatch.setattr(metrics, "MOST", 10)
    some = manifold.gaps(many, train)
    looked_at = np.isfinite(some)
    assert looked_at.sum() == 10 and np.array_equal(some[looked_at], every[looked_at])


def test_kernel_distances_read_from_a_file_are_the_same(stored):
    features, file = stored
    other, labels = features[::-1] + 1, np.arange(500) % 9
    assert kernel.kernel_distance(file, other, 0, 5, 50) == kernel.kernel_distance(features, other, 0, 5, 50)
    found = kernel.class_distances(file, labels, other, labels, 10)
    assert np.array_equal(found, kernel.class_distances(features, labels, other, labels, 10), equal_nan=True)


def test_a_head_of_many_classes_is_scikit_learns(monkeypatch):
    chance = np.random.default_rng(5)
    labels = np.repeat([0, 1, 3, 4], 30)
    features = chance.normal(size=(120, 5)) + 1.5 * np.eye(5)[labels]
    whole = head.fit(features, labels, 6)
    monkeypatch.setattr(head, "WHOLE", 0)
    monkeypatch.setattr(head, "PART_BYTES", 4 * 4 * 17)  # logits of seventeen rows at a time
    parts = head.fit(features, labels, 6)
    known = np.unique(labels)
    np.testing.assert_allclose(parts.weights[known], whole.weights[known], atol=2e-3)
    assert np.array_equal(parts.classes_of(features), whole.classes_of(features))
    assert set(parts.classes_of(chance.normal(size=(500, 5)) * 9)) <= set(known)


# Pictures that are read when they are asked for


def test_pictures_of_several_sets_in_their_order():
    first, second = (np.full((n, 2, 2, 3), value, np.uint8) + np.arange(n, dtype=np.uint8)[:, None, None, None]
                     for n, value in ((4, 10), (3, 50)))  # fmt: skip
    both = pictures.chosen((torch.from_numpy(first), torch.tensor([3, 0])), (second, np.array([2, 1, 1])))
    assert len(both) == 5 and both[:][:, 0, 0, 0].tolist() == [13, 10, 52, 51, 51]
    assert both[torch.tensor([4, 0])][:, 1, 1, 2].tolist() == [51, 13]


def test_no_more_pictures_are_held_than_the_environment_says(monkeypatch):
    monkeypatch.setenv("FINEFIT_HELD_MB", "2")
    assert pictures.held_bytes() == 2_000_000
    monkeypatch.setenv("FINEFIT_HELD_MB", "much")
    with pytest.raises(ValueError, match="FINEFIT_HELD_MB: 'much' is no number"):
        pictures.held_bytes()


def test_features_and_gallery_take_a_batch_of_pictures_at_a_time(tmp_path):
    """A set of pictures of which more than a batch at once may not be asked for."""
    labels = torch.arange(600) % 5

    def read(numbers: np.ndarray) -> np.ndarray:
        assert len(numbers) <= 256
        return np.broadcast_to((numbers % 251).astype(np.uint8)[:, None, None, None], (len(numbers), 4, 4, 3)).copy()

    images = Pictures(600, read)
    seen = judge.features_of(lambda batch: batch[:, 0, 0].float(), images, tmp_path / "seen", "test")
    assert np.array_equal(seen[:][:, 0], np.arange(600) % 251)
    shown = reference.gallery(images, labels, 6, tmp_path / "gallery")
    assert shown.shape == (6, 8, 4, 4, 3)
    assert shown[:][2, :, 0, 0, 0].tolist() == [2, 7, 12, 17, 22, 27, 32, 37] and not shown[:][5].any()


def test_pictures_for_a_page_are_kept_no_larger_than_it_shows_them(tmp_path):
    """Halves of black and white columns: the mean of every two is grey, in the gallery as on the page."""
    stripes = np.tile(np.array([0, 255], np.uint8)[:, None], (256, 128, 3))
    images, labels = torch.from_numpy(np.stack([stripes] * 3)), torch.zeros(3, dtype=torch.int64)
    shown = reference.gallery(images, labels, 1, tmp_path / "gallery")[:]
    assert shown.shape == (1, 8, 128, 128, 3) and set(np.unique(shown)) <= {127, 128}


def test_gaps_of_real_pictures_are_kept_and_found_where_they_were_not(tmp_path, stored):
    features, file = stored
    real = Real(file, np.zeros(500, np.int64), file, head.Head(*np.zeros((4, 1))), manifold.gaps(file, file))
    (tmp_path / "judge").mkdir()
    real.save(tmp_path / "judge")
    kept = Real.load(tmp_path / "judge").gaps
    (tmp_path / "judge/gaps.npy").unlink()
    assert np.array_equal(kept, real.gaps) and np.array_equal(Real.load(tmp_path / "judge").gaps, kept)


# What is asked of a scheduler


def paper(name: str, monkeypatch, **sample: int) -> Plan:
    monkeypatch.chdir(ROOT)
    content = yaml.safe_load(Path(f"studies/{name}.yaml").read_text())
    return Plan(reading.parse(content | {"sample": content["sample"] | sample}, name))


def test_memory_follows_from_what_a_job_holds_and_not_from_the_number_of_pictures(monkeypatch):
    few, many = (paper("difffit-depth", monkeypatch, per_class=n).kind("evaluate")[0] for n in (500, 50_000))
    assert needs.memory(few, on_gpu=True) == needs.memory(many, on_gpu=True)
    plan = paper("finediffusion", monkeypatch)
    full, frozen = (next(job for job in plan.kind("finetune") if name in job.name) for name in ("/full", "/bitfit"))
    state = 4 * 4 * 675e6  # weights, average and two moments, as a state that is taken up again brings them
    assert needs.memory(full, on_gpu=True) > state > needs.memory(frozen, on_gpu=True)
    assert needs.memory(full, on_gpu=False) > 5 * 4 * 675e6  # gradients too
    for job in plan.jobs:
        assert needs.mem_mb(job, 1) >= needs.memory(job, cost.uses_gpu(job)) / 1e6
        assert needs.mem_mb(job, 2) > needs.mem_mb(job, 1)
        assert needs.SHORTEST <= needs.minutes(job, 1) <= needs.minutes(job, 2) <= needs.LONGEST


def test_a_gpu_is_asked_for_by_jobs_with_large_networks(monkeypatch):
    def on_gpu(plan: Plan) -> set[str]:
        return {job.kind for job in plan.jobs if cost.uses_gpu(job)}

    always = {"latents", "finetune", "sample", "denoise"}
    assert on_gpu(paper("smoke", monkeypatch)) == always
    large = paper("finediffusion", monkeypatch)
    assert on_gpu(large) == always | {"reference", "judge", "evaluate"}
    assert {job.settings["judge"] for job in large.kind("judge") if cost.uses_gpu(job)} == {
        "inception",
        "efficientnet-lite1",
    }
