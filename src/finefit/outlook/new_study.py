"""`finefit new FOLDER`: a study for somebody's photographs, from what the folder holds and what the machine can do.

What it proposes is a start by simple rules, each named in a comment of the file that it writes; nothing is tuned to the
folder.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import unicodedata
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from string import Template

import yaml

from finefit.data.pictures import Unreadable, opened
from finefit.datasets import folder as reader
from finefit.hierarchy import taxonomy_file
from finefit.jobs import machine
from finefit.jobs.quantities import size
from finefit.models.shapes import Shape
from finefit.outlook import cost, forecast, rates
from finefit.outlook.doctor import output
from finefit.study import reading
from finefit.study.building import one_line
from finefit.study.limits import LEAST_DERIVED
from finefit.study.plan import Plan

FEW = 20  # pictures of a class, below which it is named
SAMPLES = 400  # in all, at 4 to 8 of a class: a judge takes the longer the more there are
MEASURED = 200  # pictures whose size is looked at
BYTES = (
    34  # that training keeps of each token, channel and block at two bytes a number (Korthikanti et al. 2022, eq. 2)
)
RESERVED = 6e9  # bytes of a GPU for weights, codec and what the rule above leaves out
LEAST_GPU = 10e9  # bytes, below which the small network is proposed

STUDY = Template("""\
# Written by `finefit new $folder`: $pictures pictures of $classes, short side $side pixels in the middle.
# $machine
$remarks#
# Next:
#     $check
#     $run
#     $grid
#
# In all, counted from operations and the rates of data/rates.csv: $cost
name: $scalar
seeds: [0]  # add 1 and 2 for intervals

data:
  $scalar:
    reader: folder
    resolutions: [$resolution]  # pixels: $why
    options: {path: $path}  # $kept
$taxonomy
codec: $codec
# $licence
base: $base

train:
  steps: $steps  # each picture is seen about $passes times
  batch_size: $batch  # $fits
$rates

methods:
  $method: $settings

sample: {$sampling, per_class: $per_class}  # $guided
evaluate: {probe_steps: 400}
""")


@dataclass(frozen=True)
class Proposal:
    """What suits a machine: network, codec, resolution, batch, and rules for the steps."""

    resolution: int
    codec: str
    base: str
    licence: str
    method: str
    settings: str  # of the method
    why: str
    batch: int
    fits: str
    passes: int
    steps: tuple[int, int]  # fewest and most
    rates: str
    sampling: str
    guided: str


SMALL = Proposal(
    resolution=32,
    codec="{name: patch_pca, weights: codec-photo}",
    base="{size: Mini, patch: 2, weights: base-photo-32}",
    licence="shipped, Apache-2.0; it has seen photographs of 200 kinds: expect colour and composition, few things",
    method="difffit",
    settings="{lr_multipliers: {y_embedder: 5.0}}",  # as its rate: docs/results/base-photo
    why="what the shipped base was trained at",
    batch=32,
    fits="fits any machine",
    passes=60,
    steps=(300, 2000),
    rates="""\
  lr: 1.0e-2  # its pictures of groceries are nearer to real ones than those of 3e-3, which predicts noise better
  schedule: cosine
  warmup_steps: 20
  ema_decay: 0.98""",
    sampling="steps: 20, guided_channels: 4, scale: 4.0",
    guided="of groceries, guidance of 4 and of all four channels showed the class most often",
)


def write(photographs: Path, taxonomy: Path | None, file: Path) -> list[str]:
    """Write a study for a folder of photographs; gives the lines to tell, the three commands last.

    Args:
        photographs: the folder, `superclass/class/picture.jpg` or `class/picture.jpg`.
        taxonomy: a table with a superclass for every class.
        file: the study; nothing may stand there.

    Raises:
        ValueError: there is such a file, or the folder or the table cannot make a study.
    """
    if file.exists():
        raise ValueError(f"{file}: stands there already; remove it, or name another with --out")
    settings = reader.Settings(str(photographs))
    classes = Counter(reader.table(settings)["class_name"])
    levels = bool(taxonomy_file.ranks(taxonomy) if taxonomy else reader.ranks(settings))
    if not levels and len(classes) < LEAST_DERIVED:
        raise ValueError(
            f"{photographs}: {len(classes)} classes without superclasses, which are derived from {LEAST_DERIVED} on; "
            "put them into superclass/class/, or give a table with --taxonomy"
        )
    name = name_of(file.stem)
    chosen = proposal(gpu_bytes())
    steps = min(max(chosen.steps[0], classes.total() * chosen.passes // chosen.batch), chosen.steps[1])
    commands = next_commands(name, file, list(classes), chosen.method)
    known = {
        "folder": one_line(str(photographs)),
        "pictures": f"{classes.total():,}",
        "classes": f"{len(classes):,} classes",
        "side": short_side(settings),
        "machine": f"This machine: {told_machine()}.",
        "remarks": "".join(f"# {line}\n" for line in remarks(classes, settings, levels)),
        **dict(zip(("check", "run", "grid"), commands, strict=True)),
        "scalar": name if yaml.safe_load(name) == name else quoted(name),
        "kept": "; ".join(reader.parted(settings)) or "one picture in five of every class is kept for testing",
        "path": quoted(str(photographs)),
        "taxonomy": f"    taxonomy: {quoted(str(taxonomy))}\n" if taxonomy else "",
        "steps": steps,
        "per_class": max(4, min(8, SAMPLES // len(classes))),
        "passes": max(1, steps * chosen.batch // classes.total()),
    } | {field.name: getattr(chosen, field.name) for field in fields(Proposal) if field.name not in ("steps", "passes")}
    draft = STUDY.substitute(known | {"cost": "?"})
    price = priced(Plan(reading.parse(yaml.safe_load(draft), str(file))), chosen is not SMALL)
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(STUDY.substitute(known | {"cost": price}), encoding="utf-8")
    partial.rename(file)
    return [f"{file}: {classes.total():,} pictures of {len(classes):,} classes; {price}", *commands]


def name_of(file: str) -> str:
    """A study's name by that of its file: in plain letters, with a mark of its own where something was lost.

    "Vögel" becomes "vogel-5a1c", so that no two share reports for their spelling.
    """
    plain = unicodedata.normalize("NFKD", file).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9_.-]+", "-", plain).strip("-._") or "photographs"
    return name if name == file.lower() else f"{name}-{hashlib.sha256(file.encode()).hexdigest()[:4]}"


def gpu_bytes() -> float:
    """Memory of the smallest GPU that the driver sees; 0 without one."""
    sizes = output("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits") or ""
    return min((float(line) * 2**20 for line in sizes.splitlines() if line.strip().isdigit()), default=0.0)


def proposal(memory: float) -> Proposal:
    """What suits a GPU with so many bytes; the small network without one."""
    if memory < LEAST_GPU:
        return SMALL
    shape = Shape("XL", 2, 32)
    each = BYTES * shape.grid**2 * shape.width * shape.depth
    room = max(1.0, (memory - RESERVED) / each)
    batch = max(size for size in (1, 2, 4, 8, 16, 32, 64) if size <= room)
    return Proposal(
        resolution=256,
        codec="{name: sd_vae, weights: sd-vae-ft-mse}",
        base="{size: XL, patch: 2, weights: dit-xl-2-256}",
        licence="CC BY-NC 4.0: not for commerce; `finefit fetch` brings it where there is internet",
        method="finediffusion",
        settings="{}",
        why="what the base was trained at",
        batch=batch,
        fits=f"for {memory / 1e9:.0f} GB, counting {each / 1e9:.1f} GB a picture; not measured",
        passes=40,
        steps=(2000, 24_000),
        rates="  lr: 1.0e-4  # FineDiffusion's",
        sampling="steps: 20, scale: 1.5",
        guided="that of DiT's best FID",
    )


def short_side(settings: reader.Settings) -> int:
    """The middle of the pictures' shorter sides in pixels, of evenly chosen ones; 0 where none can be read."""
    keys = list(reader.table(settings)["key"])
    sides = []
    for key in keys[:: max(1, len(keys) // MEASURED)]:
        try:
            with opened((Path(settings.path) / key).read_bytes()) as image:
                sides.append(min(image.size))
        except (OSError, Unreadable):  # told by `finefit data check`
            continue
    return round(median(sides)) if sides else 0


def remarks(classes: Counter[str], settings: reader.Settings, levels: bool) -> list[str]:
    """What to know of the folder: missing superclasses, classes with few pictures, and with none to test on."""
    found = [] if levels else ["Without superclasses in folders or a table, they are derived from the pictures."]
    few = [
        f"{one_line(name)} ({count})"
        for name, count in sorted(classes.items(), key=lambda item: item[1])
        if count < FEW
    ]
    if few:
        more = f", and {len(few) - 10} more" if len(few) > 10 else ""
        found.append(f"Classes with fewer than {FEW} pictures: {', '.join(few[:10])}{more}.")
    untested = sum(count < settings.test_every for count in classes.values())
    if untested and not reader.parted(settings):
        found.append(f"{untested} of these have fewer than {settings.test_every}: none is kept for testing.")
    return [*found, *map(one_line, reader.notes(settings))]


def next_commands(name: str, file: Path, classes: list[str], method: str) -> list[str]:
    """Check, run, draw: as a shell takes them."""
    shown = ",".join([label for label in classes if "," not in label][:2])
    return [
        f"finefit data check {name} --study {shlex.quote(str(file))}",
        f"snakemake --configfile {shlex.quote(str(file))}",
        f"finefit grid samples.png --classes {shlex.quote(shown)} --method {method} --study {shlex.quote(str(file))}",
    ]


def told_machine() -> str:
    """Processor and GPU in a few words."""
    gpu = (output("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader") or "no GPU").splitlines()
    return f"{machine.processor()}, {machine.cores()} cores, {gpu[0]}"


def priced(plan: Plan, on_gpu: bool) -> str:
    """Time and disk of a study's jobs on the device it is meant for."""
    if on_gpu:
        work = [cost.seconds(job, rates.gpu()) for job in plan.jobs if cost.uses_gpu(job)]
        time = f"{forecast.total(work)} of one {rates.gpu()}"
    else:
        here = forecast.hardware_here()
        time = f"{forecast.total([cost.seconds(job, here) for job in plan.jobs], machine.cores())} here"
    return f"{time}, {size(sum(map(cost.disk, plan.jobs)))} of disk."


def quoted(text: str) -> str:
    """A text as YAML takes it anywhere in a line."""
    return "'" + text.replace("'", "''") + "'" if text.isprintable() else json.dumps(text)
