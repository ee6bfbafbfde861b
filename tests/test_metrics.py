"""Metrics agree with theory and with the published implementations, and the probe learns and is reproducible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from finefit import judges
from finefit.datasets.embedded import Settings, index, read, taxonomy
from finefit.evaluation.breakdowns import class_scores
from finefit.jobs.torchvision_shim import importable_torchvision
from finefit.metrics import TooFew, head
from finefit.metrics.accuracy import class_accuracy, superclass_accuracy
from finefit.metrics.diversity import pairwise_diversity, probe_distance
from finefit.metrics.frechet import frechet_distance, group_distances, split_half_distance, statistics
from finefit.metrics.kernel import class_distances, kernel_distance, squared_discrepancy
from finefit.metrics.manifold import copied, density_coverage, gaps, memorised_share, nearest, precision_recall
from finefit.metrics.probe import Probe, augment, fit, in_batches, load, save
from finefit.metrics.published import lpips_distance


def noise_pictures(count: int, side: int = 32, seed: int = 0) -> Tensor:
    return torch.randint(256, (count, side, side, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def untrained(width: int = 4) -> Probe:
    torch.manual_seed(0)
    return Probe(5, width).eval()


# Frechet distance


def features_with(mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """2 d rows whose empirical mean and unbiased covariance are the given ones."""
    d = len(mean)
    corners = np.concatenate([np.eye(d), -np.eye(d)]) * np.sqrt((2 * d - 1) / 2)
    return mean + corners @ np.linalg.cholesky(covariance).T


def test_constructed_features_have_the_statistics_asked_for() -> None:
    mean, covariance = np.array([1.0, -2.0]), np.array([[2.0, 0.5], [0.5, 1.0]])
    found = statistics(features_with(mean, covariance))
    np.testing.assert_allclose(found[0], mean)
    np.testing.assert_allclose(found[1], covariance)


def test_distance_of_commuting_gaussians_has_its_closed_form() -> None:
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    variances, means = rng.uniform(0.1, 4, (2, 6)), rng.normal(size=(2, 6))
    a, b = (features_with(mean, axes * variance @ axes.T) for mean, variance in zip(means, variances, strict=True))
    expected = ((means[0] - means[1]) ** 2).sum() + ((np.sqrt(variances[0]) - np.sqrt(variances[1])) ** 2).sum()
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    "rows", [(300, 200), (40, 50), (40, 200)], ids=["full rank", "rank deficient", "one deficient"]
)
def test_distance_equals_clean_fid(rows: tuple[int, int]) -> None:
    importable_torchvision()
    from cleanfid import fid as cleanfid

    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=(n, 60)) @ rng.normal(size=(60, 60)) + rng.normal() for n in rows)
    reference = cleanfid.frechet_distance(*statistics(a), *statistics(b))
    assert frechet_distance(a, b) == pytest.approx(reference, rel=1e-6)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-10)


@pytest.mark.parametrize("count", [2, 10, 500])
def test_distance_of_identical_features_is_zero(count: int) -> None:
    features = np.random.default_rng(2).normal(size=(count, 64)).astype(np.float32)
    distance = frechet_distance(features, features[::-1])
    assert np.isfinite(distance) and abs(distance) < 1e-6


def test_distance_of_constant_features_is_that_of_their_means() -> None:
    assert frechet_distance(np.zeros((3, 4)), np.ones((5, 4))) == pytest.approx(4)


def test_split_halves_are_disjoint_and_biased_upward_when_small() -> None:
    features = np.random.default_rng(3).normal(size=(400, 16))
    floors = [split_half_distance(features, size, seed=0, repeats=4) for size in (20, 50, 200)]
    assert floors[0] > 2 * floors[1] > 4 * floors[2] > 0
    assert floors[2] == split_half_distance(features, 200, seed=0, repeats=4)
    with pytest.raises(ValueError, match="402"):
        split_half_distance(features, 201, seed=0, repeats=1)


def test_one_row_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="at least two"):
        statistics(np.zeros((1, 4)))


def test_groups_are_compared_at_the_smallest_ones_number() -> None:
    random = np.random.default_rng(4)
    groups, real_groups = np.repeat([0, 1, 2], [50, 20, 30]), np.repeat([0, 1], [40, 60])
    features, real = random.normal(size=(100, 3)), random.normal(size=(100, 3))
    features[groups == 1] += 5
    distances, size = group_distances(features, groups, real, real_groups, seed=0)
    assert size == 20 and list(distances) == [0, 1]
    assert distances[1] == pytest.approx(75, rel=0.2) and distances[0] < 5
    assert group_distances(features[:1], groups[:1], real, real_groups, seed=0) == ({}, 1)


# Kernel distance


@pytest.mark.parametrize("rows", [(120, 80), (1500, 1200)], ids=["whole subsets", "drawn subsets"])
def test_kernel_distance_equals_clean_fid(rows: tuple[int, int]) -> None:
    importable_torchvision()
    from cleanfid import fid as cleanfid

    random = np.random.default_rng(5)
    real, generated = (random.normal(size=(n, 12)) + shift for n, shift in zip(rows, (0, 0.3), strict=True))
    np.random.seed(7)
    reference = cleanfid.kernel_distance(real, generated, num_subsets=5)
    mean, error = kernel_distance(real, generated, seed=7, subsets=5)
    assert mean == pytest.approx(reference, rel=1e-6)
    assert 0 < error < mean


def test_kernel_distance_of_one_distribution_is_zero_on_average() -> None:
    draws = np.random.default_rng(6).normal(size=(200, 2, 30, 4))
    values = [squared_discrepancy(x, y) for x, y in draws]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(200)
    assert np.std(values) > 0


# Precision, recall, memorisation


def test_precision_and_recall_of_rows_made_by_hand() -> None:
    line = np.arange(6.0)[:, None]  # each third neighbour is 3 away at the ends, 2 in the middle
    assert precision_recall(line, line + 0.5) == (1.0, 1.0)
    assert precision_recall(line, line + 100) == (0.0, 0.0)
    near_one_end = np.array([[0.0], [0.1], [0.2], [0.3], [50.0]])
    assert precision_recall(line, near_one_end) == pytest.approx((0.8, 1.0))  # 50's own radius holds every real row
    assert precision_recall(line, near_one_end[:4]) == pytest.approx((1.0, 1 / 6))
    with pytest.raises(ValueError, match="3 generated pictures"):
        precision_recall(line, line[:3])


def memorised(generated: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    apart = gaps(test, train)
    return memorised_share(gaps(generated, train), apart, copied(apart, test))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("copied_tests", [0, 300], ids=["new test pictures", "copies among the test pictures"])
def test_the_planted_share_of_copies_is_recovered(share: float, copied_tests: int) -> None:
    train, test, new = np.random.default_rng(8).normal(size=(3, 2000, 6)).astype(np.float32)
    test[:copied_tests] = train[:copied_tests]
    planted = int(share * len(new))
    generated = np.concatenate([train[:planted], new[planted:]])
    # of new pictures the quantile itself, 1 %, lies within the bound
    assert memorised(generated, train, test) == pytest.approx(share + 0.01 * (1 - share), abs=0.01)
    assert copied(nearest(test, train, 1)[:, 0].numpy(), test).sum() == copied_tests


def test_nothing_is_said_of_memorisation_where_every_test_picture_is_a_copy() -> None:
    train = np.random.default_rng(8).normal(size=(50, 6))
    with pytest.raises(TooFew, match="no bound"):
        memorised(train, train, train[:20])


def test_density_and_coverage_of_rows_made_by_hand() -> None:
    line = np.arange(6.0)[:, None]  # with k = 1 every radius is 1
    assert density_coverage(line, line, k=1) == (pytest.approx(16 / 6), 1.0)  # ends reach two rows
    assert density_coverage(line, line + 100, k=1) == (0.0, 0.0)
    assert density_coverage(line, np.full((4, 1), 2.0), k=1) == (pytest.approx(3.0), 0.5)  # crowded in one place
    with pytest.raises(ValueError, match="3 real pictures"):
        density_coverage(line[:3], line, k=3)


def test_neighbourhood_scores_equal_the_formulas_of_dgm_eval() -> None:
    """The strict inequalities of prdc (Naeem et al. 2020), which dgm-eval takes."""
    random = np.random.default_rng(9)
    real, generated = random.normal(size=(200, 5)), 0.8 * random.normal(size=(150, 5)) + 0.4

    def apart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.sqrt(np.square(x[:, None] - y[None]).sum(-1))

    def radii(x: np.ndarray, k: int) -> np.ndarray:
        return np.sort(apart(x, x), axis=1)[:, k]

    between = apart(real, generated)
    for k in (3, 5):
        precision = (between < radii(real, k)[:, None]).any(0).mean()
        recall = (between < radii(generated, k)[None]).any(1).mean()
        density = (between < radii(real, k)[:, None]).sum(0).mean() / k
        coverage = (between.min(1) < radii(real, k)).mean()
        assert precision_recall(real, generated, k) == pytest.approx((precision, recall), rel=1e-12)
        assert density_coverage(real, generated, k) == pytest.approx((density, coverage), rel=1e-12)


def test_distances_and_neighbourhoods_equal_torch_fidelitys() -> None:
    importable_torchvision()
    pytest.importorskip("torch_fidelity")
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import kernel_mmd
    from torch_fidelity.metric_prc import prc_features_to_metric

    random = np.random.default_rng(12)
    real, generated = random.normal(size=(300, 24)), 0.9 * random.normal(size=(300, 24)) + 0.3
    parts = [fid_features_to_statistics(torch.from_numpy(features)) for features in (generated, real)]
    fid = fid_statistics_to_metric(*parts, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(generated, real) == pytest.approx(fid, rel=1e-6)
    poly = {"kid_kernel": "poly", "kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None}
    kid = kernel_mmd(generated, real, **poly, kid_kernel_poly_coef0=1)
    assert squared_discrepancy(generated, real) == pytest.approx(kid, rel=1e-6)
    options = {"prc_neighborhood": 3, "prc_batch_size": 10_000, "verbose": False}
    prc = prc_features_to_metric(torch.from_numpy(generated), torch.from_numpy(real), **options)
    assert precision_recall(real, generated) == pytest.approx((prc["precision"], prc["recall"]), rel=1e-6)


def test_class_distances_tell_which_class_is_off() -> None:
    random = np.random.default_rng(10)
    labels = np.repeat([0, 1, 2], [6, 9, 1])
    features, real = random.normal(size=(16, 4)), random.normal(size=(40, 4))
    features[labels == 1] += 2
    found = class_distances(features, labels, real, np.repeat([0, 1, 3], [20, 10, 10]), 4)
    assert found[1] > 10 * abs(found[0]) and np.isnan(found[2:]).all()


# A head on frozen features


def test_head_equals_scikit_learns_own_and_never_names_a_class_without_pictures(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(11)
    for known in ([0, 2, 3], [1, 3]):
        labels = np.repeat(known, 40)
        features = 5 * random.normal(size=(len(labels), 6)) + labels[:, None] * np.arange(6)
        head.save(head.fit(features, labels, 5), tmp_path / "head.npz")
        named = head.load(tmp_path / "head.npz").classes_of(features)
        reference = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features, labels)
        assert (named == reference.predict(features)).mean() > 0.98 and set(named) <= set(known)
    alone = head.fit(features[labels == 3], labels[labels == 3], 5)
    assert (alone.classes_of(features) == 3).all()


# Diversity


def test_diversity_of_identical_pictures_is_zero() -> None:
    images = noise_pictures(1).expand(12, -1, -1, -1)
    assert pairwise_diversity(images, torch.arange(12) % 3, probe_distance(untrained()), 10, seed=0) == 0


def test_diversity_equals_a_loop_over_all_pairs_of_a_class() -> None:
    images, labels, probe = noise_pictures(9), torch.tensor([0, 1, 1, 0, 2, 1, 0, 0, 7]), untrained()
    with torch.no_grad():
        maps = [[layer[0].numpy().astype(float) for layer in probe.activations(image[None])] for image in images]

    def apart(first: int, second: int) -> float:
        total = 0.0
        for a, b in zip(maps[first], maps[second], strict=True):
            places = [(y, x) for y in range(a.shape[1]) for x in range(a.shape[2])]
            units = [[v / (np.linalg.norm(v) + 1e-10) for v in (a[:, y, x], b[:, y, x])] for y, x in places]
            total += np.mean([((u - v) ** 2).sum() for u, v in units])
        return total

    classes = [[0, 3, 6, 7], [1, 2, 5]]  # classes 2 and 7 have one picture each
    expected = np.mean([np.mean([apart(i, j) for i in ids for j in ids if i < j]) for ids in classes])
    measured = pairwise_diversity(images, labels, probe_distance(probe), pairs_per_class=100, seed=0)
    assert measured == pytest.approx(expected, rel=1e-5)


def test_diversity_depends_on_its_seed_and_on_pairs_of_one_class_only() -> None:
    images, labels = noise_pictures(40), torch.arange(40) % 4

    def brightness_apart(first: Tensor, second: Tensor) -> Tensor:
        return (first.float().mean((1, 2, 3)) - second.float().mean((1, 2, 3))).abs()

    def diversity(of: Tensor, seed: int = 0) -> float:
        return pairwise_diversity(of, labels, brightness_apart, 5, seed)

    assert diversity(images) == diversity(images) != diversity(images, seed=1)
    by_class = (labels * 60).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 32, 32, 3)
    assert diversity(by_class) == 0
    with pytest.raises(ValueError, match="two pictures"):
        pairwise_diversity(images[:4], labels[:4], brightness_apart, 5, seed=0)


# Probe


@pytest.fixture(scope="module")
def embedded() -> tuple[Tensor, Tensor, np.ndarray]:
    settings = Settings(classes=16, train_per_class=32, test_per_class=8)
    rows = index(settings, None)
    labels = pd.Index(taxonomy(settings, None)["class_name"]).get_indexer(rows["class_name"])
    images = torch.from_numpy(read(rows, 32, settings, None))
    return images, torch.from_numpy(labels), rows["split"].to_numpy() == "train"


def test_probe_learns(embedded: tuple) -> None:
    images, labels, train = embedded
    probe = fit(images[train], labels[train], num_classes=16, steps=80, seed=0, width=24)
    assert class_accuracy(in_batches(probe, images[~train]).argmax(1), labels[~train]) > 0.9


def test_probe_depends_on_its_seed_only(embedded: tuple, tmp_path: Path) -> None:
    images, labels, _ = embedded
    for name, seed in {"one": 3, "again": 3, "other": 4}.items():
        save(fit(images, labels, num_classes=16, steps=4, seed=seed, width=4), tmp_path / name)
    one, again, other = ((tmp_path / name).read_bytes() for name in ("one", "again", "other"))
    assert one == again != other


def test_probe_comes_back_from_its_file(tmp_path: Path) -> None:
    probe, images = untrained(width=6), noise_pictures(3)
    save(probe, tmp_path / "probe.safetensors")
    again = load(tmp_path / "probe.safetensors")
    assert (again.num_classes, again.width, again.training) == (5, 6, False)
    assert torch.equal(again(images), probe(images))


@pytest.mark.parametrize("side", [16, 32, 50, 64])
def test_probe_takes_any_resolution(side: int) -> None:
    probe, images = untrained(width=32), noise_pictures(2, side)
    assert probe.features(images).shape == (2, 128)
    assert [map.shape[1] for map in probe.activations(images)] == [32, 64, 128, 128]
    assert torch.equal(probe.head(probe.features(images)), probe(images))


def test_augmentation_keeps_the_kind_of_picture_and_changes_each() -> None:
    images = noise_pictures(1).expand(50, -1, -1, -1)
    changed = augment(images)
    assert changed.shape == images.shape and changed.dtype == torch.uint8
    assert len(changed.flatten(1).unique(dim=0)) == 50
    assert (changed.float().mean() - images.float().mean()).abs() < 10


# Accuracy


def test_accuracy_of_cases_made_by_hand() -> None:
    named, labels, superclass_of = torch.tensor([0, 1, 3, 0]), torch.tensor([0, 0, 2, 3]), torch.tensor([0, 0, 1, 1])
    assert class_accuracy(named, labels) == 0.25
    assert superclass_accuracy(named, labels, superclass_of) == 0.75
    with pytest.raises(ValueError, match="no pictures"):
        class_accuracy(named[:0], labels[:0])


# Published metrics, with stand-ins for their weights


class Inception(nn.Module):
    """What clean-fid uses of the TorchScript Inception: `layers`, from pictures in [-1, 1] to 2048 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.AvgPool2d(23), nn.Conv2d(3, 2048, 13), nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "d1ge57"  # a name that clean-fid would not look for
    torch.jit.script(Inception()).save(str(path))
    return path


def test_inception_features_equal_clean_fids_own(inception_file: Path, tmp_path: Path) -> None:
    importable_torchvision()
    from cleanfid import fid as cleanfid
    from cleanfid.inception_torchscript import InceptionV3W

    images = noise_pictures(5)
    for number, image in enumerate(images):
        np.save(tmp_path / f"{number}.npy", image.numpy())
    (tmp_path / "inception-2015-12-05.pt").write_bytes(inception_file.read_bytes())
    network = InceptionV3W(str(tmp_path), download=False)
    files = sorted(map(str, tmp_path.glob("*.npy")))
    expected = cleanfid.get_files_features(files, network, num_workers=0, device="cpu", mode="clean", verbose=False)
    assert expected.shape == (5, 2048)
    # absolute: a feature near zero keeps few of its digits, and processors round differently
    found = judges.load("inception", inception_file)(images)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_inception_without_its_weights_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent.pt"):
        judges.load("inception", tmp_path / "absent.pt")


@pytest.mark.filterwarnings("ignore::UserWarning")  # lpips calls torchvision the old way
def test_lpips_equals_the_package_with_the_same_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    importable_torchvision()
    import lpips
    from torchvision import models

    torch.manual_seed(0)
    backbone = models.alexnet(weights=None)
    torch.save(backbone.state_dict(), tmp_path / "alexnet.pth")
    images = noise_pictures(6, side=64)
    measured = lpips_distance(tmp_path / "alexnet.pth")(images[:3], images[3:])

    monkeypatch.setattr(models, "alexnet", lambda pretrained: backbone)  # what lpips takes for the downloaded network
    reference = lpips.LPIPS(net="alex", verbose=False)
    first, second = (images.permute(0, 3, 1, 2).float() / 255).split(3)
    expected = reference(first, second, normalize=True).flatten()
    assert measured.shape == (3,) and (measured > 0).all()
    torch.testing.assert_close(measured, expected.detach(), rtol=1e-4, atol=1e-6)
    assert lpips_distance(tmp_path / "alexnet.pth")(images, images).abs().max() == 0


# Scores of single classes


def test_scores_of_classes_are_means_over_their_pictures() -> None:
    labels = torch.tensor([0, 0, 2, 2, 2, 3])
    right = {"class_accuracy": np.array([1, 0, 1, 1, 0, 1]), "superclass_accuracy": np.array([1, 1, 1, 1, 0, 1])}
    table = class_scores(labels, right, np.array([0.5, np.nan, 0.7, np.nan]))
    assert list(table.columns) == ["class_id", "pictures", "class_accuracy", "superclass_accuracy", "diversity_probe"]
    assert table["pictures"].tolist() == [2, 0, 3, 1]
    assert table["class_accuracy"].tolist() == pytest.approx([1 / 2, np.nan, 2 / 3, 1], nan_ok=True)
    assert table["diversity_probe"].tolist() == pytest.approx([0.5, np.nan, 0.7, np.nan], nan_ok=True)
