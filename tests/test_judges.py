"""Judges by name: what they see is what their networks' own code sees, and a judge that cannot see is found out."""

from __future__ import annotations

import dataclasses
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from finefit import judges
from finefit.data import sources
from finefit.evaluation import degradations, judge
from finefit.evaluation.degradations import Pool
from finefit.evaluation.real import Real
from finefit.jobs import modules
from finefit.jobs.torchvision_shim import importable_torchvision
from finefit.judges import efficientnet
from finefit.metrics import head, manifold, probe
from finefit.study import reading
from finefit.study.plan import Plan

ROOT = Path(__file__).parents[1]
SMALL = "test_resnet.r160_in1k"  # timm's own, for tests
TABLE = "name,file,url,bytes,checksum,licence,terms,by_hand\n"


def noise_pictures(count: int, side: int = 32) -> Tensor:
    return torch.randint(256, (count, side, side, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture(scope="module")
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    """A file of random weights in the layout of timm's small network, and that network."""
    importable_torchvision()
    import timm

    torch.manual_seed(0)
    network = timm.create_model(SMALL).eval()
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(network.state_dict(), path)
    return path, network


# Names


@pytest.mark.parametrize("family", modules.names("finefit.judges"))
def test_a_family_refuses_names_that_are_none_of_its_own(family):
    with pytest.raises(ValueError, match="unknown judge"):
        judges.weights(f"{family}-huge")


@pytest.mark.parametrize(
    "name", ["probe", "inception", "dinov2-small", "dinov2-base", "dinov2-large", *efficientnet.SIZES]
)
def test_weights_are_rows_of_the_sources_table(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    sources.table.cache_clear()
    row = judges.weights(name)
    assert row is None or sources.find(row).licence


def test_no_two_judges_share_a_column():
    names = ["probe", "inception", "dinov2-small", "dinov2-base", "dinov2-large", "timm/resnet50.a1_in1k"]
    columns = [column for name in names for column in judges.columns(name)]
    assert len(set(columns)) == len(columns)
    assert {"fd_probe", "kid_probe", "fid", "kid", "fd_dinov2_base", "kd_dinov2_base"} <= set(columns)
    assert judges.column("recall", "timm/resnet50.a1_in1k") == "recall_timm_resnet50_a1_in1k"


# Networks


def test_a_network_of_timm_sees_what_timms_own_code_sees(small_weights):
    from timm.data import create_transform, resolve_data_config

    path, network = small_weights
    images = noise_pictures(3, 48)
    transform = create_transform(**resolve_data_config({}, model=network), is_training=False)
    batch = torch.stack([transform(Image.fromarray(image.numpy())) for image in images])
    with torch.no_grad():
        expected = network.forward_head(network.forward_features(batch), pre_logits=True)
    assert batch.shape[-1] == 160
    torch.testing.assert_close(judges.load(f"timm/{SMALL}", path)(images), expected)


def test_dinov2_is_the_class_token_of_pictures_at_224_pixels(tmp_path, monkeypatch):
    """In the layout that its authors publish: positions for 518 pixels, and the mask's token."""
    importable_torchvision()
    import timm
    from timm.layers import resample_abs_pos_embed
    from torchvision import transforms

    whole = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, **options: whole(name, depth=2, **options))  # of 12 blocks
    torch.manual_seed(0)
    published = timm.create_model("vit_small_patch14_dinov2.lvd142m").state_dict()
    published["pos_embed"] = torch.randn_like(published["pos_embed"])
    torch.save(published | {"mask_token": torch.zeros(1, 384)}, tmp_path / "dinov2.pth")
    images = noise_pictures(2, 40)
    found = judges.load("dinov2-small", tmp_path / "dinov2.pth")(images)

    network = timm.create_model("vit_small_patch14_dinov2.lvd142m", img_size=224).eval()
    positions = resample_abs_pos_embed(published["pos_embed"], [16, 16])
    network.load_state_dict(published | {"pos_embed": positions})
    bicubic = transforms.InterpolationMode.BICUBIC
    steps = [transforms.Resize((224, 224), bicubic), transforms.ToTensor()]  # as Stein et al. scale
    steps += [transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    batch = torch.stack([transforms.Compose(steps)(Image.fromarray(image.numpy())) for image in images])
    with torch.no_grad():
        expected = network.forward_features(batch)[:, 0]
    assert found.shape == (2, 384)
    torch.testing.assert_close(found, expected)


def test_a_file_that_lacks_a_tensor_or_holds_another_network_is_refused(small_weights, tmp_path):
    path, network = small_weights
    state = network.state_dict()
    lacking = {name: value for name, value in state.items() if name != next(iter(state))}
    other = state | {"stray": torch.zeros(1)}
    for number, tensors in enumerate((lacking, other)):
        file = tmp_path / f"{number}.safetensors"
        save_file(tensors, file)
        with pytest.raises(ValueError, match=rf"{file}: not the weights of {SMALL}"):
            judges.load(f"timm/{SMALL}", file)
    with pytest.raises(ValueError, match="has no network 'resnet5O'"):
        judges.load("timm/resnet5O.a1_in1k", path)


@pytest.fixture(scope="module")
def lite1() -> Path:
    """The weights that come inside a package."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(ROOT)
        sources.table.cache_clear()
        return sources.fetch("efficientnet-lite1")


@pytest.mark.parametrize(("pixels", "side"), [(32, 96), (64, 96), (65, 240)])
def test_efficientnet_sees_what_timms_own_network_sees(lite1, pixels, side):
    """timm's network with the package's tensors under timm's names; pictures whole, scaled as torch scales."""
    importable_torchvision()
    import timm

    network = timm.create_model("tf_efficientnet_lite1").eval()
    named = zip(network.state_dict(), torch.load(lite1, weights_only=True).values(), strict=True)
    network.load_state_dict(dict(named), strict=True)
    images = noise_pictures(2, pixels)
    batch = torch.nn.functional.interpolate(
        images.permute(0, 3, 1, 2).float(), (side, side), mode="bicubic", antialias=True
    )
    with torch.no_grad():
        batch = (batch.clamp(0, 255) / 255 - 0.5) / 0.5  # mean and deviation of timm's own configuration
        expected = network.forward_head(network.forward_features(batch), pre_logits=True)
    assert network.default_cfg["mean"] == network.default_cfg["std"] == (0.5, 0.5, 0.5)
    found = judges.load("efficientnet-lite1", lite1)(images)
    assert found.shape == (2, 1280)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


# Caltech-101's folders whose things are those of one class of ImageNet, with that class.
IMAGENET = {
    "accordion": 401, "dalmatian": 251, "flamingo": 130, "grand_piano": 579, "nautilus": 117, "revolver": 763,
    "schooner": 780, "scorpion": 71, "starfish": 327, "trilobite": 69,
}  # fmt: skip


def test_efficientnet_names_real_photographs(lite1, monkeypatch):
    """The network is the published one, and not only a network: it knows what ImageNet's classes look like."""
    mirror = Path(os.environ.get("FINEFIT_MIRROR", ""))
    archive = mirror / "caltech-101-128px.zip"
    if not archive.is_file():
        pytest.skip("FINEFIT_MIRROR names no folder with photographs (caltech-101-128px.zip)")
    model, right, count = efficientnet.loaded("efficientnet-lite1", lite1).eval(), 0, 0
    with zipfile.ZipFile(archive) as outer, outer.open("caltech-101/101_ObjectCategories.tar.gz") as inner:
        with tarfile.open(fileobj=inner, mode="r|gz") as pictures:
            for member in pictures:
                folder, _, name = member.name.removeprefix("101_ObjectCategories/").partition("/")
                if folder not in IMAGENET or not "image_0001.jpg" <= name <= "image_0005.jpg":
                    continue
                picture = Image.open(pictures.extractfile(member)).convert("RGB").resize((224, 224), Image.BICUBIC)
                batch = torch.tensor(np.array(picture)).permute(2, 0, 1)[None] / 127.5 - 1
                with torch.no_grad():
                    right += int(model(batch).argmax()) == IMAGENET[folder]
                count += 1
    assert count == 50
    assert right >= 0.85 * count


def test_weights_that_are_not_the_packages_are_refused(tmp_path):
    file = tmp_path / "weights.pth"
    torch.save({"stray": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match=rf"{file}: not the weights of efficientnet-lite1: 1 tensors"):
        judges.load("efficientnet-lite1", file)
    file.write_bytes(b"no weights")
    with pytest.raises(ValueError, match=rf"{file}: no weights of efficientnet-lite1"):
        judges.load("efficientnet-lite1", file)


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    row = dataclasses.replace(sources.find("efficientnet-lite1"), url="package:no-such-package")
    monkeypatch.setitem(sources.table(), "efficientnet-lite1", row)
    with pytest.raises(ValueError, match="package no-such-package is not installed: pip install no-such-package"):
        sources.fetch("efficientnet-lite1")


# Studies


def study(**evaluate: object):
    content = yaml.safe_load((ROOT / "studies/smoke.yaml").read_text())
    content["evaluate"] |= evaluate
    return reading.parse(content, "test")


def test_a_judge_adds_its_jobs_and_leaves_the_others_alone(monkeypatch):
    monkeypatch.chdir(ROOT)
    sources.table.cache_clear()
    before, after = Plan(study()), Plan(study(judges=["dinov2-base"], published=["fid"]))
    kept = {job.digest for job in before.jobs if job.kind not in ("evaluate", "report")}
    assert kept <= {job.digest for job in after.jobs}
    assert [job.settings["judge"] for job in after.kind("judge")] == ["inception", "dinov2-base", "probe"]
    assert after.kind("judge")[1].settings["weights"]["name"] == "vit_base_patch14_dinov2.lvd142m"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("dinov2-huge", "evaluate.judges: unknown judge 'dinov2-huge': use one of dinov2-small"),
        ("clip", "evaluate.judges: unknown judge 'clip': use one of dinov2, efficientnet, inception, probe, timm"),
        ("timm/resnet50.a1_in1k", "has no row 'resnet50.a1_in1k' for its weights; add one"),
    ],
)
def test_a_judge_that_cannot_be_is_refused_when_the_study_is_read(monkeypatch, asked, expected):
    monkeypatch.chdir(ROOT)
    with pytest.raises(ValueError) as error:
        study(judges=[asked])
    assert expected in str(error.value)


# A judge is judged


def squares(count: int, classes: int, seed: int) -> Pool:
    """Pictures whose class is the place of a bright square on grey of random brightness and texture."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    images = random.normal(random.uniform(60, 120, (count, 1, 1, 1)), 6, (count, 32, 32, 3))
    for image, label in zip(images, labels, strict=True):
        top, left = 8 * (label // 4) + random.integers(0, 3), 8 * (label % 4) + random.integers(0, 3)
        image[top : top + 6, left : left + 6] += random.uniform(60, 120)
    return Pool(degradations.rounded(images), labels)


def judged(see, classes: int = 8, count: int = 96):
    """The judge table of a function from pictures to features, and the share of classes that it knows."""
    train, test = squares(400, classes, 0), squares(320, classes, 1)
    features = see(train.images)
    fitted = head.fit(features, train.labels, classes)
    seen = see(test.images)
    real = Real(seen, test.labels, features, fitted, manifold.gaps(seen, features))
    known = float((fitted.classes_of(real.features) == real.labels).mean())
    return judge.table(see, real, test, train, count), known


def pixels(images: np.ndarray | Tensor) -> np.ndarray:
    """A judge that sees much: pictures at eight by eight."""
    blocks = np.asarray(images, np.float64).reshape(-1, 8, 4, 8, 4, 3)
    return blocks.mean((2, 4, 5)).reshape(len(blocks), -1) / 25


@pytest.fixture(scope="module")
def by_pixels():
    return judged(pixels)


def test_degradations_of_known_size():
    pool, train = squares(64, 8, 0), squares(64, 8, 2)
    steps = list(degradations.every(pool, train, 32))
    assert all(one.images.shape == (32, 32, 32, 3) and one.images.dtype == np.uint8 for one in steps)
    of = {(one.name, one.step): one for one in steps}
    images = pool.images[:32].astype(float)
    shifted = of["colour shift", "16 levels"].images - images
    assert np.median(shifted, (0, 1, 2)).tolist() == [16, 0, -16]
    assert (of["noise", "32 levels"].images - images).std() == pytest.approx(32, rel=0.05)
    shuffled = of["pieces shuffled", "8 × 8"].images
    assert (np.sort(shuffled.reshape(32, -1)) == np.sort(pool.images[:32].reshape(32, -1))).all()
    assert (of["classes exchanged", "0.25 of pictures"].labels != pool.labels[:32]).sum() == 8
    copied = (of["copies of training pictures", "0.5 of pictures"].images[:, None] == train.images[None]).all((2, 3, 4))
    assert copied.any(1).sum() == 16
    assert len(np.unique(of["classes dropped", "4 of 8"].labels)) == 4
    assert [one.name for one in steps if one.destroyed] == ["pieces shuffled", "blots", "plain noise"]


def test_a_judge_that_sees_passes_and_every_degradation_counts(by_pixels):
    table, known = by_pixels
    assert known > 0.9
    seen = judge.seen(table).set_index(["degradation", "score"])
    for name in ("blur", "noise", "pieces shuffled", "classes dropped", "blots", "plain noise"):
        assert any(seen.loc[name]["mildest"]), name
        assert seen.loc[name, "fd"]["rises"], name
    assert seen.loc["classes exchanged", "class_accuracy"]["mildest"]
    assert not seen.loc["classes exchanged", "fd"]["mildest"]  # the same pictures
    assert seen.loc["copies of training pictures", "memorised"]["mildest"] == "0.125 of pictures"


def test_a_judge_of_mean_brightness_takes_blots_for_pictures_and_is_found_out():
    """As a small probe took blots of colour for photographs: 90 % precision for pictures that show nothing."""

    def brightness(images: np.ndarray | Tensor) -> np.ndarray:
        return np.asarray(images, np.float64).mean((1, 2)) / 10

    table, known = judged(brightness)
    blots = table[table["degradation"] == "blots"].iloc[0]
    real = table[table["degradation"] == judge.UNHARMED].mean(numeric_only=True)
    assert blots["precision"] > 0.8 * real["precision"]
    assert known < judge.KNOWN
    told = judge.failures(table, known)
    assert "names" in told["fd"] and set(judges.SCORES) <= set(told)
    trusted = judge.failures(table, 1.0)  # by what it lets pass alone
    assert trusted["fd"].startswith("pieces shuffled scores") and "real pictures" in trusted["precision"]


def test_an_untrained_probe_takes_noise_for_pictures():
    torch.manual_seed(0)
    network = probe.Probe(8, 8).eval()
    table, _ = judged(lambda images: probe.in_batches(network.features, torch.as_tensor(images)).numpy())
    assert judge.failures(table, 1.0)


def test_too_few_pictures_are_no_table():
    empty = judge.pd.DataFrame(columns=judge.KEYS)
    assert judge.failures(empty, 0.9) == {} and not len(judge.seen(empty))
