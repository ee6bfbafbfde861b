"""The guide docs/own-images.md, from a folder of photographs to a sample grid.

Its commands are run on four small classes, with fewer steps and pictures. Snakemake's part is played by making the
study's jobs in the plan's order, in this process, up to the report: that Snakemake does so and that reports are made is
other tests' matter.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from layouts import picture
from PIL import Image

from finefit import cli
from finefit.commands.jobs import builder
from finefit.data import folders, sources
from finefit.jobs import store
from finefit.outlook import forecast, new_study
from finefit.study import reading
from finefit.study.plan import Plan

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs/own-images.md").read_text(encoding="utf-8")
QUICK = {"train": {"steps": 2, "batch_size": 2}, "sample": {"steps": 2, "per_class": 2}, "evaluate": {"probe_steps": 2}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with the guide's study, made quick, and photographs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    for name in ("data/sources.csv", "data/rates.csv", "data/base"):
        Path(name).parent.mkdir(exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile)(ROOT / name, name)
    sources.table.cache_clear()
    folders.content.cache_clear()
    random = np.random.default_rng(0)
    for place, name in enumerate(("waders/curlew", "waders/snipe", "songbirds/robin", "songbirds/wren")):
        for number in range(10):
            colour = tuple(int(value) for value in random.integers(40 * place, 40 * place + 60, 3))
            picture(Path("photographs") / name / f"{number}.jpg", colour, (48 + number, 40))
    yield tmp_path
    sources.table.cache_clear()


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)[1]


def test_the_guide_ends_with_a_sample_grid(project, monkeypatch, capsys):
    new, check, run, grid = block("console").splitlines()
    command(new, monkeypatch)
    told = capsys.readouterr().out.splitlines()
    assert told[1:3] == [check, run] and re.sub("--classes [^ ]+", "--classes curlew,robin", told[3]) == grid
    content = yaml.safe_load(Path("photographs.yaml").read_text())
    for section, values in QUICK.items():
        content[section] |= values
    Path("photographs.yaml").write_text(yaml.safe_dump(content))
    command(check, monkeypatch)
    assert "4 classes" in capsys.readouterr().out
    assert run == "snakemake --configfile photographs.yaml"
    plan = Plan(reading.load(Path("photographs.yaml")))
    for job in plan.jobs:
        if job.kind != "report":
            store.produce(job, builder(job.kind))
    command(grid, monkeypatch)
    with Image.open("samples.png") as drawn:
        assert drawn.width > 4 * 96 and drawn.height > 2 * 96  # four pictures of each of two classes, enlarged


def test_pictures_are_opened_for_the_index_and_neither_to_plan_nor_to_check_again(project, monkeypatch, capsys):
    command(block("console").splitlines()[0], monkeypatch)
    opened, really_open = [], Image.open
    monkeypatch.setattr(Image, "open", lambda path: opened.append(path) or really_open(path))
    plan = Plan(reading.load(Path("photographs.yaml")))
    said = "\n".join(forecast.lines(plan))
    assert "Not counted" not in said and not opened
    (data,) = plan.kind("data")
    store.produce(data, builder("data"))
    assert len(opened) == 40
    command(block("console").splitlines()[1], monkeypatch)
    said = capsys.readouterr().out
    assert "32 train" in said and "8 test" in said and f"as its index says, {data.path}" in said and len(opened) == 40


def test_a_new_study_says_what_it_found(project):
    for picture_ in sorted(Path("photographs/songbirds/wren").iterdir())[4:]:
        picture_.unlink()
    file = Path("photographs.yaml")
    told = new_study.write(Path("photographs"), None, file)
    text = file.read_text()
    assert "34 pictures of 4 classes, short side 40 pixels" in text
    assert "wren (4), " in text and "1 of these have fewer than 5: none is kept for testing" in text
    assert all(f"#     {line}" in text for line in told[1:])
    with pytest.raises(ValueError, match="photographs.yaml: stands there already"):
        new_study.write(Path("photographs"), None, file)
    with pytest.raises(ValueError, match="2 classes without superclasses"):
        new_study.write(Path("photographs/waders"), None, Path("waders.yaml"))
    Path("table.csv").write_text("class_name,superclass\ncurlew,waders\nsnipe,waders\n")
    new_study.write(Path("photographs/waders"), Path("table.csv"), Path("waders.yaml"))
    assert reading.load(Path("waders.yaml")).data["waders"].taxonomy == "table.csv"


@pytest.mark.parametrize("name", ["2024", "2024-05-01", "no", "012", "1e5", "null", "it's", "a: b # c", "new\nline"])
def test_a_folder_of_any_name_makes_a_study_that_is_read(project, name):
    Path("photographs").rename(name)
    file = Path("study.yaml") if "\n" in name else Path(f"{name}.yaml")
    new_study.write(Path(name), None, file)
    study = reading.load(file)
    (section,) = study.data.values()
    assert section.options["path"] == name and list(study.data) == [study.name]


def test_folders_of_other_scripts_make_studies_of_different_names(project):
    names = ["写真", "照片", "Vögel", "Vogel", "My photos", "my-photos", "photographs"]
    for name in names:
        if name != "photographs":
            shutil.copytree("photographs", name)
        new_study.write(Path(name), None, Path(f"{name}.yaml"))
    found = [reading.load(Path(f"{name}.yaml")).name for name in names]
    assert len(set(found)) == len(names) and found[3] == "vogel" and found[-2:] == ["my-photos", "photographs"]


def test_a_new_study_says_what_splits_it_read(project):
    for split in ("train", "val"):
        shutil.copytree("photographs", f"split/{split}")
    new_study.write(Path("split"), None, Path("split.yaml"))
    text = Path("split.yaml").read_text()
    assert "options: {path: 'split'}  # train/ trains; val/ tests" in text
    assert "# split: its folders are read as splits: train/ trains, val/ tests; test_every does not count" in text
    assert reading.load(Path("split.yaml")).name == "split"


@pytest.mark.parametrize(("memory", "batch"), [(12e9, 16), (16e9, 32), (80e9, 64)])
def test_on_a_gpu_the_published_base_is_proposed(project, monkeypatch, memory, batch):
    """By the rule: 34 bytes for each of 256 tokens of 1,152 channels in 28 blocks, 0.281 GB a picture, beside 6 GB."""
    monkeypatch.setattr(new_study, "gpu_bytes", lambda: memory)
    new_study.write(Path("photographs"), None, Path("photographs.yaml"))
    study = reading.load(Path("photographs.yaml"))
    assert (study.base.weights, study.codec.name, study.train.batch_size) == ("dit-xl-2-256", "sd_vae", batch)
    assert study.data["photographs"].resolutions == [256]


def command(line: str, monkeypatch) -> None:
    """Run a line of the guide that calls finefit, in this process."""
    monkeypatch.setattr(sys, "argv", line.split())
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
