"""A run as a folder that `DiffusionPipeline.from_pretrained(FOLDER, trust_remote_code=True)` opens.

model_index.json    classes, superclasses, null row, guidance    scheduler/   of the study's sampler
pipeline.py         how they become pictures                     vae/         the codec
transformer/        diffusers' DiTTransformer2DModel             README.md    the model card, with samples.png
"""

from __future__ import annotations

import inspect
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from finefit import codecs, processes
from finefit.deltas.delta import load_run
from finefit.deltas.merge import merged
from finefit.export import card
from finefit.jobs import borders, modes, store, tensors
from finefit.jobs.empty_weights import empty_weights
from finefit.jobs.torchvision_shim import importable_torchvision
from finefit.models import diffusers_layout
from finefit.models.dit import DiT
from finefit.models.shapes import CLASS_TABLE, Shape
from finefit.sampling.runs import sample_of
from finefit.sampling.trained import class_names

if TYPE_CHECKING:
    from diffusers import SchedulerMixin

    from finefit.jobs.job import Job
    from finefit.processes import Process
    from finefit.study.plan import Plan

PIPELINE = Path(__file__).with_name("pipeline.py")


def export(plan: Plan, run: Job, folder: Path) -> None:
    """Write a run as such a folder, which stands there only when it is whole.

    Args:
        plan: of the study that the run belongs to: its samples' settings become the pipeline's, its scores the card's.
        run: the fine-tuning.

    Raises:
        ValueError: the run is not made, its method does not merge, or something stands at `folder`.
    """
    if folder.exists():
        raise ValueError(f"{folder}: stands there already; name a new folder, or remove it")
    store.require(run)
    importable_torchvision()
    model, settings = load_run(run), sample_of(plan, run).settings
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    with borders.writing(folder):
        partial.mkdir(parents=True)
        write_parts(model, run, settings, partial)
        card.write(plan, run, partial)
        modes.by_umask(partial)  # diffusers writes with safetensors, too
        partial.rename(folder)


def write_parts(model: DiT, run: Job, settings: dict[str, Any], folder: Path) -> None:
    """Write network, codec and scheduler, the pipeline's code, and the index that names them."""
    plain = merged(model)
    names = class_names(run.inputs["latents"].inputs["data"].path)
    write_transformer(plain.state_dict(), plain.shape, folder / "transformer")
    library, kind = write_codec(settings["codec"], folder / "vae")
    process = processes.of(settings)
    settings = as_scheduled(process, settings)
    scheduler = scheduler_of(process, settings["sampler"])
    scheduler.save_pretrained(folder / "scheduler")
    shutil.copyfile(PIPELINE, folder / PIPELINE.name)
    index = {
        "_class_name": [PIPELINE.stem, "FineFitPipeline"],
        "transformer": ["diffusers", "DiTTransformer2DModel"],
        "vae": [library, kind],
        "scheduler": ["diffusers", type(scheduler).__name__],
    }
    index |= conditions(model, names, settings) | {"velocity": process.VELOCITY}
    (folder / "model_index.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def conditions(model: DiT, names: tuple[str, ...], settings: dict[str, Any]) -> dict[str, Any]:
    """What the pipeline is told beside its parts: classes, rows to guide away from, and the study's way to sample.

    It holds one network: what the study guides away from another one, it draws without guidance unless it is asked to.
    """
    table = model.y_embedder
    guidance = settings["guidance"]
    return {
        "id2label": {str(number): name for number, name in enumerate(names)},
        "superclass_of": None if table.superclass_of is None else table.superclass_of.tolist(),
        "null_row": table.null_row,
        "guidance": guidance if guidance in ("null", "superclass") else "none",
        "guidance_scale": settings["scale"],
        "num_inference_steps": settings["steps"],
        "guided_channels": settings["guided_channels"],
        "guidance_interval": list(settings["guidance_interval"]),
        "coordinate_scale": model.shape.coordinate_scale,
    }


def write_transformer(state: dict[str, Tensor], shape: Shape, folder: Path) -> None:
    """Write a plain network's tensors, under the published names, as the folder of a `DiTTransformer2DModel`."""
    from diffusers import DiTTransformer2DModel

    with empty_weights():
        theirs = DiTTransformer2DModel(**diffusers_layout.config(shape, len(state[CLASS_TABLE])))
    theirs.save_config(folder)
    named = diffusers_layout.to_diffusers(state)
    copies = {name: value.clone(memory_format=torch.contiguous_format) for name, value in named.items()}
    tensors.save(copies, folder / diffusers_layout.FILE, {"format": "pt"})


def write_codec(settings: dict[str, Any], folder: Path) -> tuple[str, str]:
    """Write a codec, with the file that defines it where diffusers does not; gives library and class for the index."""
    decoder = codecs.as_diffusers(settings)
    decoder.save_pretrained(folder)
    kind = type(decoder)
    if kind.__module__.startswith("diffusers."):
        return "diffusers", kind.__name__
    file = Path(inspect.getfile(kind))
    shutil.copyfile(file, folder / file.name)
    return file.stem, kind.__name__


def as_scheduled(process: Process, settings: dict[str, Any]) -> dict[str, Any]:
    """The study's way to sample; where diffusers has no scheduler for it, by first order with as many evaluations."""
    asked = process.SAMPLERS[settings["sampler"]]
    if asked.scheduler:
        return settings
    return settings | {"sampler": process.FIRST_ORDER, "steps": asked.evaluations * settings["steps"]}


def scheduler_of(process: Process, sampler: str) -> SchedulerMixin:
    """diffusers' scheduler that takes the steps of a process's sampler; ValueError if it has none."""
    import diffusers

    scheduler = process.SAMPLERS[sampler].scheduler
    if scheduler is None:
        raise ValueError(f"sampler {sampler}: diffusers has no scheduler that takes its steps")
    kind, own = scheduler
    return getattr(diffusers, kind)(**own)
