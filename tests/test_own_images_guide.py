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
from finefit.data import sources
from finefit.datasets import folder
from finefit.jobs import store
from finefit.outlook import forecast
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
    folder._content.cache_clear()
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
    content = yaml.safe_load(block("yaml"))
    for section, values in QUICK.items():
        content[section] |= values
    Path("photographs.yaml").write_text(yaml.safe_dump(content))
    check, run, grid = block("console").splitlines()
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
    Path("photographs.yaml").write_text(block("yaml"))
    opened, really_open = [], Image.open
    monkeypatch.setattr(Image, "open", lambda path: opened.append(path) or really_open(path))
    plan = Plan(reading.load(Path("photographs.yaml")))
    said = "\n".join(forecast.lines(plan))
    assert "Not counted" not in said and not opened
    (data,) = plan.kind("data")
    store.produce(data, builder("data"))
    assert len(opened) == 40
    command(block("console").splitlines()[0], monkeypatch)
    said = capsys.readouterr().out
    assert "32 train" in said and "8 test" in said and f"as its index says, {data.path}" in said and len(opened) == 40


def command(line: str, monkeypatch) -> None:
    """Run a line of the guide that calls finefit, in this process."""
    monkeypatch.setattr(sys, "argv", line.split())
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
