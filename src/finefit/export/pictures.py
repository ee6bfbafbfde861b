"""A folder of generated pictures for somebody's classifier: `superclass/class/00000.png`, each tagged as generated.

Picture k of a class is a function of run, seed, class and k, so a folder that was cut short is continued and one that
is to hold more is extended. Several processes that are given the same command share the work by batches. The folder's
`metadata.csv` is what `datasets.load_dataset("imagefolder", ...)` reads; our own `folder` reader needs nothing of it.
"""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pandas as pd
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import finefit
from finefit.data.names import ids_of
from finefit.hierarchy.index import read_index
from finefit.jobs import borders, readers, stopping
from finefit.jobs.job import Job
from finefit.jobs.locks import claimed
from finefit.jobs.progress import progress
from finefit.sampling.runs import classes_of, sample_of
from finefit.sampling.trained import Trained, load
from finefit.study.plan import Plan

MADE = ".finefit.json"  # in the folder: what all of its pictures have in common
COMMON = ("seed", "sampler", "steps", "guidance", "scale")
COLUMNS = ("class", "superclass", "number", *COMMON, "run", "digest")  # of what a picture is told
SECONDS_BETWEEN_LOOKS = 2.0
# DigitalSourceType is what other programs tell generated pictures by: IPTC's newscode for "by a trained algorithm".
XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmp:CreatorTool={tool} '
    'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia" '
    "dc:source={source}/></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
)


@dataclass(frozen=True)
class Picture:
    """One picture of the folder: its class, its number within the class, and where it stands."""

    label: int
    number: int
    file: str
    class_name: str
    superclass: str


def fill(
    plan: Plan,
    run: Job,
    folder: Path,
    per_class: int | None = None,
    names: list[str] | None = None,
    balance: int | None = None,
    ending: str = "png",
) -> int:
    """Draw into a folder what it lacks of the pictures asked for; gives how many it then holds of them.

    Args:
        plan: of the run's study, whose way to sample is taken.
        run: the fine-tuning.
        folder: where they go; may hold earlier pictures of the same run, drawn the same way.
        per_class: pictures of every class, or
        balance: pictures that every class is to have together with its training pictures; rare classes come first.
        names: of the classes; all where left out.
        ending: "png" or "webp" (lossless).

    Raises:
        ValueError: not one of `per_class` and `balance`, no such class, or the folder's pictures were made otherwise.
        ToBeContinued: the process was told to stop; what is drawn stays.
    """
    if (per_class is None) == (balance is None):
        raise ValueError("give either --per-class, or --balance for pictures up to a count")
    settings = sample_of(plan, run).settings
    classes = classes_of(plan, run)
    counts = dict.fromkeys(classes["class_id"], per_class) if per_class else missing(run, classes, balance)
    chosen = ids_of(names, classes["class_name"].tolist()) if names else counts
    wanted = list(pictures(classes, {label: counts[label] for label in counts if label in chosen}, ending))
    claim(folder, {"run": str(run.path), "digest": run.digest} | {key: settings[key] for key in COMMON})
    batches = [
        wanted[first : first + settings["batch_size"]] for first in range(0, len(wanted), settings["batch_size"])
    ]
    draw(folder, run, batches, settings)
    write_metadata(folder, wanted, run, settings)
    return len(wanted)


def missing(run: Job, classes: pd.DataFrame, balance: int) -> dict[int, int]:
    """By class id, what its training pictures lack of a count; classes with the fewest of them first."""
    train = read_index(run.inputs["latents"].inputs["data"], "train")["class_id"].value_counts()
    have = {label: int(train.get(label, 0)) for label in classes["class_id"]}
    return {label: max(0, balance - have[label]) for label in sorted(have, key=have.get)}


def pictures(classes: pd.DataFrame, counts: dict[int, int], ending: str) -> Iterator[Picture]:
    """Every picture asked for, class after class in the order of `counts`.

    Raises:
        ValueError: two classes would share a folder.
    """
    rows, taken = classes.set_index("class_id"), {}
    for label, count in counts.items():
        name, superclass = rows.loc[label, "class_name"], rows.loc[label, "superclass"]
        place = f"{plain(superclass)}/{plain(name.removeprefix(f'{superclass}/'))}"
        if taken.setdefault(place, name) != name:
            raise ValueError(f"classes {taken[place]!r} and {name!r} would share the folder {place}: rename one")
        for number in range(count):
            yield Picture(label, number, f"{place}/{number:05d}.{ending}", name, superclass)


def plain(name: str) -> str:
    """A name as a folder's: visible, and one level."""
    return name.replace("/", "-").replace("\\", "-").lstrip(".") or "-"


def claim(folder: Path, made: dict[str, Any]) -> None:
    """Write what all pictures of a folder have in common, or compare it with what stands there.

    Raises:
        ValueError: its pictures are of another run, or were drawn otherwise.
    """
    file = folder / MADE
    if file.exists():
        before = readers.content(file, f"delete it if the pictures are of {made['run']}, or name another folder")
        apart = [f"{key} {before.get(key)!r}, not {value!r}" for key, value in made.items() if before.get(key) != value]
        if apart:
            raise ValueError(f"{folder}: holds pictures made with {', '.join(apart)}; name another folder")
        return
    folder.mkdir(parents=True, exist_ok=True)
    publish(file, lambda partial: partial.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8"))


def draw(folder: Path, run: Job, batches: list[list[Picture]], settings: dict[str, Any]) -> None:
    """Draw what the folder lacks, those batches that no other process draws, until all are there."""
    locks = folder / ".locks"
    locks.mkdir(exist_ok=True)
    trained: Trained | None = None
    while lacking := [number for number, batch in enumerate(batches) if absent(folder, batch)]:
        took = False
        for number in progress(lacking, "batches of pictures", len(batches) - len(lacking)):
            with claimed(locks / str(number)) as mine:
                if mine and (here := absent(folder, batches[number])):
                    trained, took = trained or load(run.path), True
                    ids, numbers = [one.label for one in here], [one.number for one in here]
                    for one, pixels in zip(here, trained.draw(ids, numbers, settings), strict=True):
                        write(folder / one.file, Image.fromarray(pixels), tags(one, run, settings))
            if stopping.asked():
                raise stopping.ToBeContinued
        if not took:  # the others are at work on what is left
            time.sleep(SECONDS_BETWEEN_LOOKS)


def absent(folder: Path, batch: list[Picture]) -> list[Picture]:
    """Those of a batch's pictures that are not in the folder."""
    return [one for one in batch if not (folder / one.file).exists()]


def tags(one: Picture, run: Job, settings: dict[str, Any]) -> dict[str, Any]:
    """Where a picture comes from."""
    return {
        "run": str(run.path),
        "digest": run.digest,
        "class": one.class_name,
        "superclass": one.superclass,
        "number": one.number,
    } | {key: settings[key] for key in COMMON}


def write(file: Path, image: Image.Image, source: dict[str, Any]) -> None:
    """Write a picture whole or not at all, with its provenance (JSON, in XMP's `dc:source`) and the tag "generated"."""
    origin = json.dumps(source, ensure_ascii=False)
    packet = XMP.format(tool=quoteattr(f"FineFit {finefit.__version__}"), source=quoteattr(origin))
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".webp":
        publish(file, lambda partial: image.save(partial, "WEBP", lossless=True, xmp=packet.encode()))
    else:
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", packet)
        publish(file, lambda partial: image.save(partial, "PNG", pnginfo=text))


def publish(file: Path, save: Any) -> None:
    """Have `save(path)` write beside a file, then put it in its place."""
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    with borders.writing(file):
        save(partial)
    partial.replace(file)


def write_metadata(folder: Path, wanted: list[Picture], run: Job, settings: dict[str, Any]) -> None:
    """List the pictures in `metadata.csv`, a row each with `file_name` and where it comes from."""

    def save(partial: Path) -> None:
        with open(partial, "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, ("file_name", *COLUMNS))
            table.writeheader()
            for one in sorted(wanted, key=lambda one: one.file):
                table.writerow({"file_name": one.file} | tags(one, run, settings))

    publish(folder / "metadata.csv", save)
