"""A project of its own for a rehearsal, beside the study's artifacts: stand-in data and weights, the rest by links."""

from __future__ import annotations

import contextlib
import csv
import multiprocessing
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from itertools import cycle
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from finefit import codecs, datasets, judges, procedural
from finefit.data import archives, sources
from finefit.data.sources import Source
from finefit.jobs.job import PHASES, Job
from finefit.models.shapes import Shape
from finefit.outlook import rates
from finefit.study.config import Study
from finefit.study.plan import Plan

FOLDER = Path("rehearsals")
OWN = {folder.split("/")[0] for _, folder in PHASES.values()} | {"scratch", "logs", "rehearsals"}  # not linked
OWN_DATA = {Path(folder).name for _, folder in PHASES.values()} | {"raw", sources.TABLE.name, rates.MEASURED.name}
DRAWN, SIDE = 16, 512  # different pictures, and their pixels across

Stand = Callable[[Path], None]  # writes a stand-in for a source's file


def made(study: Study, parts: list[Study], say: Callable[[str], None]) -> Path:
    """Set up the folder of a study's rehearsal, as far as it does not stand; gives it, with the parts' files in it."""
    folder = FOLDER / study.name
    plans = [Plan(part) for part in parts]
    (folder / sources.RAW).mkdir(parents=True, exist_ok=True)
    links = [path for path in Path().iterdir() if path.name not in OWN and not path.name.startswith(".")]
    for path in links + [path for path in Path("data").iterdir() if path.name not in OWN_DATA]:
        if not (folder / path).is_symlink():
            (folder / path).symlink_to(path.resolve())
    rows = dict(sources.table())
    for name, write in weights(plans).items():
        rows[name] = provided(rows[name], write, folder, say)
    write_table(list(rows.values()), folder / sources.TABLE)
    for plan in plans:
        (folder / f"{plan.study.name}.yaml").write_text(
            yaml.safe_dump(plan.study.model_dump(mode="json"), sort_keys=False), encoding="utf-8"
        )
        for job in plan.kind("data"):
            stand_in_data(job, folder, say)
    return folder


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Read tables as the rehearsal's jobs do: their digests bear the checksums of its own."""
    with contextlib.chdir(folder):
        sources.table.cache_clear()
        yield
    for read in (sources.table, rates.known):
        read.cache_clear()


def weights(plans: list[Plan]) -> dict[str, Stand]:
    """For every source of weights that is not shipped, what writes random ones in its layout."""
    found: dict[str, Stand] = {}
    for job in (job for plan in plans for job in plan.jobs):
        settings = job.settings
        if job.kind == "base":
            found[settings["weights"]["name"]] = base(job)
        elif job.kind == "judge" and "weights" in settings:
            name, family = settings["judge"], judges.find(settings["judge"])
            found[settings["weights"]["name"]] = lambda file, family=family, name=name: family.stand_in(name, file)
        elif job.kind == "latents":
            codec = settings["codec"]
            for row in (each["name"] for each in (codec["weights"], *codec.get("beside", []))):
                found[row] = lambda file, codec=codec, row=row: codecs.module_of(codec).stand_in(file, row)
        for row in settings.get("published", {}).values():
            found[row["name"]] = alexnet
    return {name: write for name, write in found.items() if not sources.find(name).shipped}


def base(job: Job) -> Stand:
    """What writes a network of the shape that a "base" job asks for, for latents of 32 or as its name says."""

    def write(file: Path) -> None:
        from finefit.models import checkpoint

        side = 64 if "512" in job.settings["weights"]["name"] else 32
        checkpoint.stand_in(Shape(job.settings["size"], job.settings["patch"], side), file)

    return write


def alexnet(file: Path) -> None:
    """The backbone of LPIPS."""
    from finefit.metrics import published

    published.stand_in(file)


def provided(row: Source, write: Stand, folder: Path, say: Callable[[str], None]) -> Source:
    """The row of a source in the rehearsal's own table: the real file by a link, or a stand-in without a checksum."""
    target = folder / row.place
    target.parent.mkdir(parents=True, exist_ok=True)
    if row.place.exists():
        if not target.exists():
            target.symlink_to(row.place.resolve())
        say(f"{row.name}: the real weights, to be checked against {sources.TABLE}")
        return row
    if not target.exists():
        say(f"{row.name}: not here; random weights in its layout stand in")
        partial = target.with_name(f"partial-{target.name}")
        writer = multiprocessing.get_context("fork").Process(target=write, args=(partial,))  # its memory ends with it
        writer.start()
        writer.join()
        if writer.exitcode:
            raise ValueError(f"{target}: its stand-in could not be written (code {writer.exitcode}); see above")
        partial.rename(target)
    return Source(**asdict(row) | {"bytes": 0, "checksum": sources.UNPUBLISHED})


def write_table(rows: list[Source], file: Path) -> None:
    """Write a table of sources."""
    with open(file, "w", newline="", encoding="utf-8") as opened:
        table = csv.DictWriter(opened, [field.name for field in fields(Source)])
        table.writeheader()
        table.writerows(asdict(row) | {"bytes": row.bytes or ""} for row in rows)


def stand_in_data(job: Job, folder: Path, say: Callable[[str], None]) -> None:
    """Drawn pictures in the layout of a data set's unpacked sources; a data set without one brings its own."""
    reader, settings = datasets.find(job.settings["reader"]), job.full["options"]
    rows = reader.sources(reader.Settings(**settings))
    if not hasattr(reader, "stand_in"):
        for source in (sources.find(row) for row in rows):
            if source.place.exists() and not (folder / source.place).exists():
                (folder / source.place).symlink_to(source.place.resolve())
        return
    target = folder / archives.place(rows)
    if target.exists():
        return
    say(f"{job.name}: drawn pictures stand in for {', '.join(rows)}")
    partial = target.with_name(f"{target.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    pictures = drawn(folder / "drawn")

    def draw(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.link(next(pictures), path)

    reader.stand_in(partial, draw)
    partial.rename(target)


def drawn(folder: Path) -> Iterator[Path]:
    """A few drawn JPEG files, again and again."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number}.jpg" for number in range(DRAWN)]
    scenes = list(procedural.SUPERCLASSES.values())
    for number, file in enumerate(files):
        scene = scenes[number % len(scenes)]
        points = np.random.default_rng(number).uniform(size=(1, len(scene.traits)))
        picture = procedural.render(scene, points, np.array([number], np.uint64), 128)[0]
        Image.fromarray(picture).resize((SIDE * 4 // 3, SIDE)).save(file, quality=90)
    return cycle(files)
