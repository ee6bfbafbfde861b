"""Whole networks on disk: reading any published checkpoint, the base of a study, and writing a base."""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from finefit import processes
from finefit.data import sources
from finefit.jobs import borders, tensors
from finefit.jobs.empty_weights import empty_weights
from finefit.jobs.finite import require_finite
from finefit.models import diffusers_layout
from finefit.models.about import about, check_process, null_row
from finefit.models.dit import DiT
from finefit.models.embedders import LabelEmbedder
from finefit.models.shapes import CLASS_TABLE, SIZES, Shape

if TYPE_CHECKING:
    from finefit.jobs.job import Job

# Not taken from a base: its class table is another domain's, and positions follow from the resolution.
OWN = {CLASS_TABLE, "pos_embed"}
AVERAGES = ("ema", "model", "state_dict")  # where training code keeps the weights inside its checkpoint, best first
WRAPPERS = ("module.", "_orig_mod.")  # before every name, by DistributedDataParallel and torch.compile
LFS = b"version https://git-lfs"


def build_base(job: Job, out: Path, scratch: Path) -> None:
    """Phase "base": the checkpoint that fine-tuning starts from, verified, under its published names.

    Raises:
        ValueError: the file does not hold the network that the study names, or tells of another process.
    """
    file = sources.fetch(job.settings["weights"]["name"])
    state = read(file)
    shape = shape_of(state, file)
    if (shape.size, shape.patch) != (job.settings["size"], job.settings["patch"]):
        raise ValueError(
            f"{file}: holds DiT-{shape.size}/{shape.patch}, but the study says base.size {job.settings['size']}, "
            f"base.patch {job.settings['patch']}"
        )
    check(state, shape, file)
    check_process(file, job.settings)
    print(f"{file.name}: {described(shape, state)}")
    if file.suffix == ".safetensors" and not diffusers_layout.is_layout_of(file):
        shutil.copyfile(file, out / "base.safetensors")
    else:
        tensors.save(state, out / "base.safetensors")


def stand_in(shape: Shape, file: Path) -> None:
    """Write a network of a shape with random weights and DiT's table of 1,001 rows, as a torch file like the published.

    No matrix is zero, as none is after training: a network that is the identity would compute nothing of interest.
    """
    model = DiT(shape, LabelEmbedder(1000, shape.width))
    for parameter in model.parameters():
        if parameter.dim() > 1 and not parameter.any():
            torch.nn.init.normal_(parameter.data, std=0.02)
    torch.save(model.state_dict(), file)


def read(file: Path) -> dict[str, Tensor]:
    """A checkpoint's tensors under the published names: safetensors (in diffusers' layout too), or a torch file that
    holds them bare, under "ema" or under "model".

    What wrappers put before the names (`WRAPPERS`) is taken off.

    Raises:
        ValueError: the file is neither, is cut off, would have to run code to be read, or holds NaN.
    """
    content = loaded(file)
    content = next((content[key] for key in AVERAGES if isinstance(content.get(key), dict)), content)
    state = {unwrapped(str(name)): value for name, value in content.items()}
    if other := sorted(name for name, value in state.items() if not isinstance(value, Tensor)):
        raise ValueError(
            f"{file}: no checkpoint: {', '.join(other[:3])} are no tensors, and neither {AVERAGES} is there"
        )
    require_finite(str(file), {name: value for name, value in state.items() if value.is_floating_point()})
    return diffusers_layout.from_diffusers(state, file) if diffusers_layout.MARK in state else state


def loaded(file: Path) -> dict:
    """What a checkpoint's file holds.

    Raises:
        ValueError: it cannot be read, or not safely.
    """
    if not file.is_file():
        raise ValueError(f"{file}: no such file")
    with open(file, "rb") as opened:
        head = opened.read(64)
    if head.startswith(LFS):
        raise ValueError(f"{file}: a pointer of git LFS in place of the file itself; run `git lfs pull`")
    what = "no checkpoint that can be read safely, or cut off"
    if file.suffix == ".safetensors":
        with tensors.opened(file, what=what) as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}
    with borders.reading(file, what), torch.serialization.safe_globals([argparse.Namespace]):  # arguments lie beside
        options = {"mmap": True} if zipfile.is_zipfile(file) else {}  # torch before 1.6 wrote no zip
        content = torch.load(file, map_location="cpu", weights_only=True, **options)
    if not isinstance(content, dict):
        raise ValueError(f"{file}: no checkpoint: holds a {type(content).__name__} in place of tensors by name")
    return content


def unwrapped(name: str) -> str:
    """A tensor's name without what wrappers put before it."""
    while name.startswith(WRAPPERS):
        name = name.partition(".")[2]
    return name


def shape_of(state: dict[str, Tensor], file: Path) -> Shape:
    """The shape that a checkpoint's tensors have.

    Raises:
        ValueError: they are no DiT's, or of no published size.
    """
    needed = {"x_embedder.proj.weight": 4, "pos_embed": 3, CLASS_TABLE: 2}
    if missing := [name for name in needed if name not in state]:
        raise ValueError(f"{file}: no DiT checkpoint: {', '.join(missing)} missing")
    for name, dimensions in needed.items():
        if state[name].dim() != dimensions:
            raise ValueError(f"{file}: no DiT checkpoint: {name} is {list(state[name].shape)}")
    patches, positions = state["x_embedder.proj.weight"], state["pos_embed"]
    depth = sum(name.endswith("attn.qkv.weight") for name in state)
    width, channels, patch, _ = patches.shape
    for size, (blocks, dim, _) in SIZES.items():
        if (blocks, dim) == (depth, width):
            return Shape(size, patch, int(positions.shape[1] ** 0.5) * patch, channels)
    raise ValueError(f"{file}: {depth} blocks of width {width} are none of DiT's sizes {', '.join(SIZES)}")


def described(shape: Shape, state: dict[str, Tensor]) -> str:
    """What a checkpoint holds, in a line."""
    norms = "trained LayerNorm" if "blocks.0.norm1.weight" in state else "plain LayerNorm"
    return (
        f"DiT-{shape.size}/{shape.patch} for {shape.latent_channels} x {shape.latent_size} x {shape.latent_size} "
        f"latents, class table of {len(state[CLASS_TABLE])} rows, {norms}, "
        f"{sum(value.numel() for value in state.values()):,} parameters"
    )


def check(state: dict[str, Tensor], shape: Shape, file: Path) -> None:
    """Refuse a state whose tensors are not exactly a plain network's.

    Raises:
        ValueError: a tensor is missing, left over, or of another shape.
    """
    with empty_weights():
        wanted = DiT(shape, LabelEmbedder(1, shape.width)).state_dict()
    wanted[CLASS_TABLE] = state.get(CLASS_TABLE, wanted[CLASS_TABLE])
    if faults := mismatches(wanted, state):
        raise ValueError(f"{file}: is not the plain DiT-{shape.size}/{shape.patch}: {'; '.join(faults[:5])}")


def mismatches(wanted: dict[str, Tensor], given: dict[str, Tensor]) -> list[str]:
    """Tensors that are missing, left over, or of another shape than wanted, a phrase each, sorted."""
    faults = [f"missing {name}" for name in wanted.keys() - given.keys()]
    faults += [f"left over {name}" for name in given.keys() - wanted.keys()]
    for name in wanted.keys() & given.keys():
        if wanted[name].shape != given[name].shape:
            faults.append(f"{name} is {list(given[name].shape)}, needed {list(wanted[name].shape)}")
    return sorted(faults)


@lru_cache(maxsize=1)
def read_base(file: Path) -> dict[str, Tensor]:
    """A base's tensors in float32, without class table and positions.

    Read once and shared by every network on it: nothing may change these tensors in place.
    """
    return {name: value.float() for name, value in read(file).items() if name not in OWN}


def base_of(run: Job) -> tuple[dict[str, Tensor] | None, str | None]:
    """What a run starts from, and its digest; None and None where it starts from scratch."""
    base = run.inputs.get("base")
    return (read_base(base.path / "base.safetensors"), base.digest) if base else (None, None)


@dataclass(frozen=True)
class ClassTable:
    """The conditions that a base was itself trained with.

    Attributes:
        rows: the table `[n, dim]`, float32.
        names: the classes' names, in the order of their rows; none where the checkpoint does not tell them.
        null_row: number of the row that stands for no class; None where none was trained.
    """

    rows: Tensor
    names: tuple[str, ...]
    null_row: int | None


def read_class_table(file: Path, null: int | str = "last") -> ClassTable:
    """The class table of a base (`base.safetensors` or a published checkpoint), which `read_base` leaves out.

    Args:
        null: which row is null where the file does not tell: see `about.null_row`.
    """
    rows = only(file, CLASS_TABLE).float()
    return ClassTable(rows, tuple(about(file).get("classes", ())), null_row(file, len(rows), null))


def only(file: Path, name: str) -> Tensor:
    """One tensor of a checkpoint, by its published name; the rest is not read where the file allows it."""
    if file.suffix == ".safetensors":
        with tensors.opened(file) as opened:
            if name in opened.keys():
                return opened.get_tensor(name)
    return read(file)[name]


def export_base(run: Job, file: Path, model: DiT) -> None:
    """Write a run's whole network in half precision as `file` (.safetensors), and its provenance beside it.

    The file's metadata hold what `read_class_table` tells of it (in one entry: safetensors shuffles several).
    """
    with open(run.inputs["latents"].inputs["data"].path / "classes.csv", newline="", encoding="utf-8") as table:
        classes = [row["class_name"] for row in csv.DictReader(table)]
    told = {"run": run.digest, "classes": classes, "null_row": model.y_embedder.null_row}
    told |= processes.told(run.settings["network"])
    halves = {name: value.half() for name, value in model.state_dict().items()}
    tensors.save(halves, file, {"finefit": json.dumps(told)})
    shutil.copyfile(run.marker, file.with_suffix(".provenance.json"))
