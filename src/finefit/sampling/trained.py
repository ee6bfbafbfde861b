"""A fine-tuned run opened from its folder alone, ready to draw: `finefit.load` and every command that draws use it.

So is a study's base as it is before any fine-tuning.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from finefit import codecs, processes
from finefit.codecs import Codec
from finefit.data import names, sources
from finefit.deltas.delta import load_delta
from finefit.deltas.network import with_own_classes
from finefit.jobs import readers
from finefit.jobs.devices import device_here
from finefit.models.checkpoint import read_base, read_class_table
from finefit.models.dit import DiT
from finefit.models.shapes import Shape
from finefit.sampling.networks import beside_base, frozen
from finefit.sampling.sample import sample
from finefit.study.plan import Plan

Guidance = Literal["learned", "null", "superclass", "base", "none"]


@dataclass(frozen=True, eq=False)
class Trained:
    """A run's network and codec on the device that this process has, and the names of its classes.

    Attributes:
        path: the run's folder.
        classes: names in the order of class ids.
        guidance: what sampling can be guided by: "learned" where training had it learn that, what the method dropped
            labels to in training, and "base" where the base has a null row.
        precision: as in training.
        network: size, patch and, where it is not the default, process.
        pair: `model` beside its base, for that guidance.
    """

    path: Path
    model: DiT
    pair: DiT | None
    codec: Codec
    classes: tuple[str, ...]
    guidance: tuple[str, ...]
    precision: str
    device: str
    network: dict[str, Any]

    def sample(
        self,
        classes: str | int | Sequence[str | int],
        seed: int = 0,
        *,
        steps: int = 20,
        scale: float = 1.5,
        guidance: Guidance | None = None,
        sampler: str | None = None,
    ) -> list[Image.Image]:
        """Draw a picture of each of the given classes, in their order.

        The k-th picture of a class depends on the class, k and the seed: not on what else is drawn beside it, but
        for the rounding of bfloat16 where a processor's matrix units add in another order for another batch.

        Args:
            classes: names or ids, or one; a class given twice is drawn twice, from other noise.
            seed: of the noise.
            steps: of the sampler.
            sampler: one of the run's process's; its own for few steps where left out.
            scale: of guidance; 1 is none.
            guidance: away from what; the first that the run was trained with where left out.

        Raises:
            ValueError: no such class or sampler, or the run cannot be guided so.
        """
        ids = self.ids(classes)
        process = processes.of(self.network)
        if sampler not in (None, *process.SAMPLERS):
            raise ValueError(f"sampler {sampler!r}: {self.path} is drawn by {', '.join(process.SAMPLERS)}")
        settings = {
            "seed": seed,
            "sampler": sampler or processes.few_steps(process),
            "steps": steps,
            "scale": scale,
            "guidance": self.chosen(guidance, scale),
            "guided_channels": 3,
            "guidance_interval": (0, 999),
        } | processes.told(self.network)
        return [Image.fromarray(picture) for picture in self.draw(ids, numbered(ids), settings)]

    def draw(self, ids: Sequence[int], numbers: Sequence[int], settings: dict[str, Any]) -> np.ndarray:
        """Draw picture `numbers[i]` of class `ids[i]`, for all i at once: uint8 `[n, r, r, 3]`.

        Args:
            settings: those of a "sample" job: see `finefit.sampling.sample.sample`.

        Raises:
            ValueError: they ask for guidance away from a network that is not the run's own.
        """
        if settings["guidance"] == "auto":
            raise ValueError(f"{self.path}: its study alone guides away from a network that was trained for less long")
        labels, which = torch.tensor(ids), torch.tensor(numbers)
        latents: Tensor = sample(self.model, labels, which, settings, self.precision, self.device, self.pair)
        return self.codec.decode(latents).cpu().numpy()

    def ids(self, classes: str | int | Sequence[str | int]) -> list[int]:
        """Class ids of names or ids, or of one.

        Raises:
            ValueError: there is no such class.
        """
        classes = [classes] if isinstance(classes, str | int) else classes
        ids = range(len(self.classes))
        return [int(one) if one in ids else names.ids_of([str(one)], self.classes)[0] for one in classes]

    def chosen(self, guidance: str | None, scale: float) -> str:
        """What is guided away from: as asked for, else the first that the run can be; nothing at scale 1.

        Raises:
            ValueError: the run cannot be guided so.
        """
        if guidance not in (None, "none", *self.guidance):
            raise ValueError(
                f"guidance {guidance!r}: {self.path} can be guided by {', '.join(self.guidance) or 'none'}"
            )
        return "none" if scale == 1 or not self.guidance else guidance or self.guidance[0]


def load(path: Path) -> Trained:
    """Open a run by its folder; the working directory is the repository's root, below which its inputs stand.

    Raises:
        ValueError: it is no folder of a run, or an input is not made or is another one now.
    """
    run = provenance(path)
    if run["kind"] != "finetune":
        raise ValueError(f"{path}: is of kind {run['kind']!r}, not a fine-tuning; see runs/")
    latents, base = provenance(input_of(run, "latents")), run["inputs"].get("base")
    weights, null = None, "last"
    if base:
        null = provenance(input_of(run, "base"))["settings"].get("null_row", null)
        weights = read_base(Path(base["path"]) / "base.safetensors")
    model = load_delta(path / "delta.safetensors", weights, base["digest"] if base else None)
    pair = beside_base(model, Path(base["path"]) / "base.safetensors", null) if base else None
    learned = [] if model.y_embedder.scale is None else ["learned"]
    device, precision = device_here(), run["settings"]["train"]["precision"]
    return Trained(
        path,
        frozen(model, precision, device),
        pair and frozen(pair, precision, device),
        codecs.load(latents["settings"]["codec"]).to(device),
        class_names(input_of(latents, "data")),
        (*learned, *run["settings"]["method_settings"]["guidance"], *(["base"] if pair else [])),
        precision,
        device,
        run["settings"]["network"],
    )


def untouched(plan: Plan) -> Trained:
    """A study's base, which draws the classes that it was itself trained on; no job has to have run.

    Raises:
        ValueError: the study starts from none, or its file does not hold the network that the study says.
    """
    asked, latents = plan.study.base, plan.kind("latents")[0].settings
    if asked.weights is None:
        raise ValueError(f"study {plan.study.name!r} starts from no base; name one of its methods")
    file, device = sources.fetch(asked.weights), device_here()
    facts = codecs.CODECS[latents["codec"]["name"]]
    shape = Shape(asked.size, asked.patch, latents["resolution"] // facts.factor, facts.channels)
    model = with_own_classes(file, shape, asked.null_row)
    pair = beside_base(model, file, asked.null_row)
    known = read_class_table(file, asked.null_row).names or tuple(map(str, range(model.y_embedder.num_classes)))
    return Trained(
        file,
        frozen(model, "auto", device),
        pair and frozen(pair, "auto", device),
        codecs.load(latents["codec"]).to(device),
        known,
        ("base",) if pair else (),
        "auto",
        device,
        {"size": asked.size, "patch": asked.patch, "process": asked.weights_process or asked.process},
    )


def numbered(ids: Sequence[int]) -> list[int]:
    """How many times each entry came before: the number of a picture among those of its class."""
    before: Counter[int] = Counter()
    numbers = []
    for label in ids:
        numbers.append(before[label])
        before[label] += 1
    return numbers


def provenance(path: Path) -> dict[str, Any]:
    """What stands in an artifact's provenance.json.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    file = path / "provenance.json"
    if not file.is_file():
        raise ValueError(f"{path}: no published artifact here (no provenance.json); give a folder of runs/")
    return readers.content(file)


def input_of(artifact: dict[str, Any], role: str) -> Path:
    """Folder of an artifact's input, which is still the one that it was made from.

    Raises:
        ValueError: it is missing or another one.
    """
    known = artifact["inputs"][role]
    path = Path(known["path"])
    if not (path / "provenance.json").is_file():
        raise ValueError(
            f"{path}: {artifact['name']} was made from it and it is not there; run from the repository's root"
        )
    if provenance(path)["digest"] != known["digest"]:
        raise ValueError(f"{path}: {artifact['name']} was made from another one ({known['digest'][:8]})")
    return path


def class_names(data: Path) -> tuple[str, ...]:
    """Names of a data set's classes in the order of their ids, from its "data" artifact."""
    with open(data / "classes.csv", newline="", encoding="utf-8") as table:
        return tuple(row["class_name"] for row in csv.DictReader(table))
