"""Runs as pipelines of diffusers and as folders of pictures: the same pictures without finefit; tags, refusals."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from conftest import made_once
from PIL import Image
from safetensors.torch import load_file
from test_dit import diffusers_state, randomised

import finefit
from finefit import processes
from finefit.commands.jobs import builder
from finefit.data import folders, sources
from finefit.datasets import folder as reader
from finefit.export import card, diffusers_folder, pictures
from finefit.jobs import store
from finefit.jobs.torchvision_shim import importable_torchvision
from finefit.models import checkpoint, diffusers_layout
from finefit.models.dit import DiT
from finefit.models.embedders import LabelEmbedder, sinusoid
from finefit.models.shapes import Shape
from finefit.sampling.grid import pictures as grid_pictures
from finefit.study import reading
from finefit.study.plan import Plan

ROOT = Path(__file__).parents[1]
STUDY = {
    "name": "tiny",
    "seeds": [0],
    "data": {"embedded": {"resolutions": [32], "options": {"classes": 4, "train_per_class": 3, "test_per_class": 1}}},
    "codec": {"name": "patch_pca", "weights": "codec-patch-pca-2"},
    "base": {"size": "Mini", "patch": 2, "weights": "base-mini-32"},
    # A rate that moves everything far in two steps: what is left out of an export shows in the pictures.
    "train": {"steps": 2, "batch_size": 2, "lr": 2.0e-2, "ema_decay": 0.0, "precision": "float32"},
    "methods": {
        "full": {"lr": 1.0e-3, "coordinate_scale": 0.5},
        "difffit": {},
        "finediffusion": {"guidance": ["superclass", "null"]},
        "vpt": {"tokens": 2},
    },
    "sample": {"sampler": "dpmpp", "steps": 3, "per_class": 2, "scale": 2.0, "batch_size": 3},
    "evaluate": {"probe_steps": 2},
}
# Draws what the test asks for in a process whose path does not lead to finefit.
THEIRS = """
import importlib.util, json, sys
import numpy as np
import torch
wanted, out = json.loads(sys.argv[1]), sys.argv[2]
sys.path = [p for p in sys.path if not p.endswith("src")]
sys.meta_path = [f for f in sys.meta_path if "editable" not in repr(f).lower()]
assert importlib.util.find_spec("finefit") is None
try:
    import torchvision
except RuntimeError:  # a torchvision that was built for another torch
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms(Tensor a, Tensor b, float c) -> Tensor", "qnms(Tensor a, Tensor b, float c) -> Tensor"):
        library.define(operator)
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
import diffusers
torch.set_num_threads(1)
drawn = {}
for name, (folder, sampler, options) in wanted.items():
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder, trust_remote_code=True)
    if sampler:
        kind, config = sampler
        pipe.scheduler = getattr(diffusers, kind)(**config)
    drawn[name] = np.stack([np.asarray(image) for image in pipe(**options).images])
pipe.save_pretrained(out + "-saved")
np.savez(out, **drawn)
"""


def project(folder: Path) -> None:
    """What a command finds in the repository's root."""
    for name in ("data/sources.csv", "data/rates.csv", "data/base"):
        (folder / name).parent.mkdir(exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile)(ROOT / name, folder / name)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A repository's root with a study whose runs are made and, but for one, exported."""

    def make(folder: Path) -> None:
        project(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            sources.table.cache_clear()
            Path("study.yaml").write_text(yaml.safe_dump(STUDY))
            plan = Plan(reading.load(Path("study.yaml")))
            for job in plan.jobs:
                if job.kind in ("data", "hierarchy", "base", "latents", "finetune"):
                    store.produce(job, builder(job.kind))
            for entry in ("full", "difffit", "finediffusion"):
                diffusers_folder.export(plan, run_of(plan, entry), Path(f"exported/{entry}"))

    return made_once(tmp_path_factory, "exported_study", make)


@pytest.fixture
def plan(made, monkeypatch) -> Plan:
    """That study; the working directory is its root."""
    monkeypatch.chdir(made)
    sources.table.cache_clear()
    yield Plan(reading.load(Path("study.yaml")))
    sources.table.cache_clear()


def run_of(plan: Plan, entry: str):
    return next(run for run in plan.kind("finetune") if f"/{entry}-" in run.name)


def drawn_by_diffusers(wanted: dict, folder: Path) -> dict[str, np.ndarray]:
    """What exported folders draw where there is no finefit, by the names of `wanted`: (folder, scheduler, options)."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"HF_HOME": str(folder)}
    arguments = [json.dumps(wanted), str(folder / "theirs")]
    done = subprocess.run([sys.executable, "-c", THEIRS, *arguments], env=environment, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return np.load(folder / "theirs.npz")


def test_pipelines_draw_the_same_pictures_without_finefit(plan, tmp_path):
    names = list(finefit.load(run_of(plan, "full").path).classes)
    twice = [name for name in names for _ in range(2)]
    wanted = {entry: (f"exported/{entry}", None, {"classes": twice}) for entry in ("full", "difffit", "finediffusion")}
    null = {"classes": [2, 0, 2], "seed": 5, "guidance": "null", "guidance_scale": 4.0, "num_inference_steps": 4}
    wanted["null"] = ("exported/finediffusion", None, null)
    samplers = processes.find("ddpm").SAMPLERS
    for sampler, about in samplers.items():
        options = {"classes": names, "num_inference_steps": 5}
        wanted[sampler] = ("exported/difffit", about.scheduler, options)
    theirs = drawn_by_diffusers(wanted, tmp_path)
    ours = {
        entry: grid_pictures(plan, entry, names, 2, 0).reshape(8, 32, 32, 3)
        for entry in wanted
        if entry in plan.study.methods
    }
    run = finefit.load(run_of(plan, "finediffusion").path)
    ours["null"] = np.stack(run.sample([2, 0, 2], 5, guidance="null", scale=4.0, steps=4))
    run = finefit.load(run_of(plan, "difffit").path)
    for sampler in samplers:
        ours[sampler] = np.stack(run.sample(names, 0, steps=5, scale=2.0, sampler=sampler))
    for name, drawn in ours.items():
        assert np.abs(theirs[name].astype(int) - drawn.astype(int)).max() <= 1, name
    assert len({drawn.tobytes() for drawn in ours.values()}) == len(ours), "each asks for other pictures"
    saved = json.loads((tmp_path / "theirs-saved/model_index.json").read_text())
    assert list(saved["id2label"].values()) == names, "labels outlive save_pretrained"


def test_a_run_along_the_straight_path_is_drawn_the_same_too(tmp_path, monkeypatch):
    """By Euler to one grey level; Heun, which diffusers' scheduler ends otherwise, by Euler at as many evaluations."""
    project(tmp_path)
    monkeypatch.chdir(tmp_path)
    sources.table.cache_clear()
    base = STUDY["base"] | {"process": "flow", "weights_process": "ddpm"}
    own = {"base": base, "methods": {"difffit": {}}}
    euler, heun = (
        Plan(reading.parse(STUDY | own | {"sample": STUDY["sample"] | {"sampler": sampler}}, "study.yaml"))
        for sampler in ("euler", "heun")
    )
    for job in euler.jobs:
        if job.kind in ("data", "hierarchy", "base", "latents", "finetune"):
            store.produce(job, builder(job.kind))
    run = run_of(euler, "difffit")
    for plan, folder in ((euler, "one"), (heun, "two")):
        diffusers_folder.export(plan, run_of(plan, "difffit"), Path(folder))
    index = json.loads(Path("two/model_index.json").read_text())
    assert index["velocity"] and index["num_inference_steps"] == 6
    trained = finefit.load(run.path)
    options = {"classes": list(trained.classes), "seed": 3, "guidance": "null", "guidance_scale": 3.0}
    theirs = drawn_by_diffusers({"path": ("one", None, options | {"num_inference_steps": 5})}, tmp_path)["path"]
    ours = np.stack(trained.sample(trained.classes, 3, guidance="null", scale=3.0, steps=5, sampler="euler"))
    assert np.abs(theirs.astype(int) - ours.astype(int)).max() <= 1
    assert ours.std() > 5
    text = Path("one/README.md").read_text(encoding="utf-8")
    assert "| process | `flow` |" in text and "predicts a velocity" in text
    with pytest.raises(ValueError, match="is drawn by heun, euler, sde"):
        trained.sample(trained.classes, sampler="dpmpp")
    sources.table.cache_clear()


def test_the_card_says_what_the_run_is(plan):
    text = Path("exported/finediffusion/README.md").read_text(encoding="utf-8")
    _, metadata, body = text.split("---\n", 2)
    known = yaml.safe_load(metadata)
    assert (
        known["license"] == "apache-2.0" and known["library_name"] == "diffusers" and "finediffusion" in known["tags"]
    )
    counts = json.loads((run_of(plan, "finediffusion").path / "run.json").read_text())
    assert f"{counts['trained_parameters']:,} of {counts['total_parameters']:,} parameters" in body
    assert "None yet" in body and "base-mini-32" in body and "the class's superclass" in body
    assert "$" not in body
    with Image.open("exported/finediffusion/samples.png") as sheet:
        assert sheet.height > 4 * 96


def test_names_in_the_card_are_text_and_no_markup():
    assert card.plain("<b>fat</b> & *bold* [x](y) | `z`\n# h") == (
        r"&lt;b&gt;fat&lt;/b&gt; &amp; \*bold\* \[x\](y) \| \`z\` # h"
    )


def test_one_name_is_one_class_of_an_exported_pipeline():
    importable_torchvision()
    from finefit.export import pipeline  # not above: it imports all of diffusers

    pipe = SimpleNamespace(labels={"curlew": 0, "robin": 1})
    for asked, found in (("curlew", [0]), (1, [1]), (["robin", 0, "robin"], [1, 0, 1])):
        assert pipeline.FineFitPipeline.ids(pipe, asked) == found
    with pytest.raises(ValueError, match="no class 'oak'"):
        pipeline.FineFitPipeline.ids(pipe, "oak")


def test_licences_that_differ_are_all_named():
    assert card.licence_of(["CC BY-NC 4.0"] * 2) == {"license": "cc-by-nc-4.0"}
    assert card.licence_of(["MIT", "not stated"]) == {"license": "other", "license_name": "MIT and not stated"}


def test_what_cannot_be_exported_is_refused(plan, tmp_path):
    with pytest.raises(ValueError, match="cannot be merged: blocks.0.prompt"):
        diffusers_folder.export(plan, run_of(plan, "vpt"), tmp_path / "vpt")
    assert not (tmp_path / "vpt").exists()
    with pytest.raises(ValueError, match="full: stands there already"):
        diffusers_folder.export(plan, run_of(plan, "full"), Path("exported/full"))


def test_a_stock_pipeline_is_told_how_far_off_it_is(tmp_path):
    model = randomised(DiT(Shape("Mini", 2, 4), LabelEmbedder(1000, 192)))
    diffusers_folder.write_transformer(model.state_dict(), model.shape, tmp_path / "transformer")
    told = card.stock(tmp_path, {"null_row": 1000, "coordinate_scale": 1.0})
    shares = [float(value) for value in re.findall(r"([\d.]+) at \d+", told)]
    assert len(shares) == 3 and all(0 < share < 10 for share in shares)
    assert not card.stock(tmp_path, {"null_row": None, "coordinate_scale": 1.0}), "it cannot hold the model"


def test_how_far_the_frequencies_of_diffusers_are_off():
    from diffusers.models.embeddings import get_timestep_embedding

    for t, expected in ((100, 0.13), (500, 0.61), (999, 1.01)):  # calculated by hand from both spacings
        t = torch.tensor([float(t)])
        ours = sinusoid(t, 256)
        theirs = get_timestep_embedding(t, 256, flip_sin_to_cos=True, downscale_freq_shift=1)
        assert ((theirs - ours).norm() / ours.norm()).item() == pytest.approx(expected, abs=0.01)
        theirs = get_timestep_embedding(t, 256, flip_sin_to_cos=True, downscale_freq_shift=0)
        assert (theirs - ours).abs().max() < 1e-3


def test_the_layout_of_diffusers_and_back_is_exact(tmp_path):
    model = randomised(DiT(Shape("S", 2, 32), LabelEmbedder(10, 384)))
    state = model.state_dict()
    diffusers_folder.write_transformer(state, model.shape, tmp_path)
    file = tmp_path / diffusers_layout.FILE
    expected = diffusers_state(state, 12, 384)
    written = load_file(file)
    assert written.keys() == expected.keys() and all(torch.equal(written[name], expected[name]) for name in written)
    back = checkpoint.read(file)
    assert back.keys() == state.keys() and all(torch.equal(back[name], state[name]) for name in state)
    assert checkpoint.shape_of(back, file) == model.shape


def test_a_folder_of_diffusers_serves_as_base(tmp_path, monkeypatch):
    project(tmp_path)
    monkeypatch.chdir(tmp_path)
    state = checkpoint.read(Path("data/base/mini-32.safetensors"))
    file = Path("data/raw/theirs/transformer") / diffusers_layout.FILE
    diffusers_folder.write_transformer({n: v.float() for n, v in state.items()}, Shape("Mini", 2, 16), file.parent)
    with open("data/sources.csv", "a", encoding="utf-8") as table:
        table.write(f"theirs,theirs/transformer/{file.name},https://example.org,,none published,none,none,\n")
    sources.table.cache_clear()
    content = STUDY | {"base": {"size": "Mini", "patch": 2, "weights": "theirs"}}
    (base,) = Plan(reading.parse(content, "study.yaml")).kind("base")
    store.produce(base, builder("base"))
    read = load_file(base.path / "base.safetensors")
    assert read.keys() == state.keys()
    for name in read.keys() - {"pos_embed"}:  # the shipped base holds its positions rounded, and no run takes them
        assert torch.equal(read[name], state[name].float())
    sources.table.cache_clear()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop("proj_out_2.bias"), "proj_out_2.bias is missing"),
        (lambda state: state.update(extra=torch.zeros(1)), "left over extra"),
        (
            lambda state: state["transformer_blocks.1.norm1.emb.timestep_embedder.linear_1.bias"].add_(1),
            "not the first",
        ),
    ],
)
def test_what_is_no_dit_of_diffusers_is_refused(change, told):
    model = DiT(Shape("Mini", 2, 4), LabelEmbedder(2, 192))
    state = {name: value.clone() for name, value in diffusers_layout.to_diffusers(model.state_dict()).items()}
    change(state)
    with pytest.raises(ValueError, match=told):
        diffusers_layout.from_diffusers(state, Path("nowhere/model.safetensors"))


def test_a_folder_of_pictures_is_continued_extended_and_read_back(plan, tmp_path):
    run, folder = run_of(plan, "difffit"), tmp_path / "generated"
    assert pictures.fill(plan, run, folder, per_class=2) == 8
    first = {path: path.read_bytes() for path in folder.rglob("*.png")}
    removed = sorted(first)[3]
    removed.unlink()
    assert pictures.fill(plan, run, folder, per_class=3) == 12
    for path, content in first.items():
        np.testing.assert_allclose(np.asarray(Image.open(path)), pixels(content), atol=1)  # of another batch
    assert len(list(folder.rglob("*.png"))) == 12
    names = list(finefit.load(run.path).classes)
    drawn = grid_pictures(plan, "difffit", names[:1], 3, 0)[0]
    supers = pd.read_csv(next(Path("data/hierarchies").glob("*/hierarchy.csv")))
    place = folder / supers["superclass"][0] / names[0]
    for number, expected in enumerate(drawn):
        with Image.open(place / f"{number:05d}.png") as image:
            np.testing.assert_allclose(np.asarray(image).astype(int), expected.astype(int), atol=1)
            packet = (
                image.info["XML:com.adobe.xmp"] if "XML:com.adobe.xmp" in image.info else image.info["xmp"].decode()
            )
        assert "trainedAlgorithmicMedia" in packet
        told = json.loads(re.search(r"dc:source='(.*?)'/>", packet)[1])
        assert (told["run"], told["class"], told["number"], told["seed"]) == (str(run.path), names[0], number, 0)
        assert (told["guidance"], told["scale"]) == ("null", 2.0)
    listed = pd.read_csv(folder / "metadata.csv")
    assert len(listed) == 12 and all((folder / name).exists() for name in listed["file_name"])
    folders.content.cache_clear()
    settings = reader.Settings(str(folder))
    assert sorted(reader.index(settings, None)["key"]) == sorted(listed["file_name"])
    assert set(reader.taxonomy(settings, None)["class_name"]) == set(names)
    with pytest.raises(ValueError, match="holds pictures made with run"):
        pictures.fill(plan, run_of(plan, "full"), folder, per_class=1)


def pixels(content: bytes) -> np.ndarray:
    from io import BytesIO

    return np.asarray(Image.open(BytesIO(content)))


def test_classes_are_filled_up_to_a_count(plan, tmp_path):
    run, names = run_of(plan, "difffit"), list(finefit.load(run_of(plan, "difffit").path).classes)
    assert pictures.fill(plan, run, tmp_path / "a", balance=5, names=names[1:3], ending="webp") == 4  # of 3 each
    assert len(list((tmp_path / "a").rglob("*.webp"))) == 4
    with Image.open(next((tmp_path / "a").rglob("*.webp"))) as image:
        assert b"trainedAlgorithmicMedia" in image.info["xmp"]
    for wrong in ({}, {"per_class": 1, "balance": 1}):
        with pytest.raises(ValueError, match="give either"):
            pictures.fill(plan, run, tmp_path / "b", **wrong)
    with pytest.raises(ValueError, match="no class 'oak'"):
        pictures.fill(plan, run, tmp_path / "b", per_class=1, names=["oak"])


def test_rare_classes_are_filled_first(plan):
    run = run_of(plan, "difffit")
    data = run.inputs["latents"].inputs["data"]
    index = (data.path / "index.csv").read_text()
    classes = pd.DataFrame({"class_id": [0, 1, 2, 3]})
    try:
        table = pd.read_csv(data.path / "index.csv")
        rare = table[~((table["class_id"] == 2) & (table["split"] == "train"))]
        rare.to_csv(data.path / "index.csv", index=False)
        assert pictures.missing(run, classes, 3) == {2: 3, 0: 0, 1: 0, 3: 0}
        assert next(iter(pictures.missing(run, classes, 3))) == 2
    finally:
        (data.path / "index.csv").write_text(index)


def test_a_run_is_drawn_from_by_its_folder(plan, tmp_path):
    run = finefit.load(str(run_of(plan, "finediffusion").path))
    one, other = run.sample([run.classes[1], run.classes[1]], seed=3, steps=2)
    assert one.size == (32, 32) and one.tobytes() != other.tobytes()
    alone = run.sample([1], seed=3, steps=2)[0]
    np.testing.assert_allclose(np.asarray(alone).astype(int), np.asarray(one).astype(int), atol=1)
    by_name = run.sample(run.classes[1], seed=3, steps=2)  # one name is one class, and no list of letters
    assert [picture.tobytes() for picture in by_name] == [alone.tobytes()]
    for asked in (["oak"], "oak"):
        with pytest.raises(ValueError, match="no class 'oak'"):
            run.sample(asked)
    with pytest.raises(ValueError, match="guidance 'superclass': .* can be guided by null, base"):
        finefit.load(run_of(plan, "difffit").path).sample([0], guidance="superclass")
    with pytest.raises(ValueError, match="no published artifact here"):
        finefit.load(tmp_path)
    with pytest.raises(ValueError, match="of kind 'latents', not a fine-tuning"):
        finefit.load(plan.kind("latents")[0].path)


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, finefit; print([name for name in ('torch', 'numpy', 'pandas', 'PIL') if name in sys.modules])"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
