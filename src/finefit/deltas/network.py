"""The network that a run fine-tunes: the base's weights with what a method adds to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from finefit import methods, objectives
from finefit.jobs.empty_weights import empty_weights
from finefit.models.checkpoint import OWN, mismatches, read_base, read_class_table
from finefit.models.dit import DiT
from finefit.models.embedders import LabelEmbedder
from finefit.models.shapes import CLASS_TABLE, Shape

if TYPE_CHECKING:
    from finefit.jobs.job import Job
    from finefit.latents.pack import Pack


def network(run: dict, base: dict[str, Tensor] | None) -> DiT:
    """A run's network at its step 0; `trained` holds the names of the parameters that its method trains.

    What stays frozen shares memory with `base`, so that many networks on one base cost little more than their deltas.

    Args:
        run: `method`, `method_settings`, `network`, `seed` and, where it is not plain, `objective` of the job's
            settings, with `num_classes`, `superclass_of` (or None) and `latent_shape` `[c, h, w]` added.
        base: tensors that `checkpoint.read_base` gives, None to start from random weights.

    Raises:
        ValueError: base, method and data do not fit together.
    """
    torch.manual_seed(run["seed"])
    method = methods.find(run["method"])
    settings = method.Settings(**run["method_settings"])
    channels, height, _ = run["latent_shape"]
    shape = Shape(run["network"]["size"], run["network"]["patch"], height, channels, settings.coordinate_scale)
    embedder = class_table(run, settings, shape.width)
    model = DiT(shape, embedder) if base is None else on_base(shape, embedder, base)
    if settings.norm_affine:
        add_norm_affine(model)
    model.trained = method.apply(model, settings)
    objective = objectives.find(run["objective"]["name"]) if "objective" in run else None
    if hasattr(objective, "add"):
        model.trained |= objective.add(model)
    if CLASS_TABLE not in model.trained:
        raise ValueError(f"method {run['method']}: its apply() must train {CLASS_TABLE}, which no base brings")
    for name, parameter in model.named_parameters():
        if base is not None and name in model.trained & base.keys():
            parameter.data = parameter.data.clone()
    return model


def class_table(run: dict, settings: methods.MethodSettings, width: int) -> LabelEmbedder:
    """The class table of a run's data under its method's settings.

    Raises:
        ValueError: superclass rows are asked for and the data has no superclasses.
    """
    superclasses = None
    if settings.embedder != "flat":
        if run["superclass_of"] is None:
            raise ValueError(f"embedder: {settings.embedder} needs superclasses, and this data set has none")
        superclasses = torch.tensor(run["superclass_of"], device="cpu")
    null, summed = "null" in settings.guidance, settings.embedder == "summed"
    return LabelEmbedder(run["num_classes"], width, superclasses, null, summed)


def on_base(shape: Shape, embedder: LabelEmbedder, base: dict[str, Tensor]) -> DiT:
    """A plain network whose weights are the base's tensors themselves; class table and positions are its own.

    Raises:
        ValueError: the base is another network's.
    """
    with empty_weights():  # nothing is drawn or stored that the base replaces at once
        model = DiT(shape, embedder)
    wanted = {name: value for name, value in model.state_dict().items() if name not in OWN}
    if faults := mismatches(wanted, base):
        raise ValueError(f"the base does not fit the study's base.size and base.patch: {'; '.join(faults[:5])}")
    model.load_state_dict(base, strict=False, assign=True)
    return model


def unconditional(file: Path, shape: Shape, null: int | str = "last") -> DiT | None:
    """The untouched base as a network of one class, its null row: what it does when no class is asked for.

    Args:
        file: the base, as `checkpoint.read_base` takes it.
        shape: the base's, but for the latents' side, which may be more than that it was trained on.
        null: which row is null where the file does not tell: see `about.null_row`.

    Gives None where the base was trained without a null row.
    """
    table = read_class_table(file, null)
    if table.null_row is None:
        return None
    return untouched(file, shape, table.rows[table.null_row : table.null_row + 1])


def with_own_classes(file: Path, shape: Shape, null: int | str = "last") -> DiT:
    """The untouched base as a network of the classes that it was trained on; arguments are those of `unconditional`."""
    table = read_class_table(file, null)
    classes = [number for number in range(len(table.rows)) if number != table.null_row]
    return untouched(file, shape, table.rows[classes])


def untouched(file: Path, shape: Shape, rows: Tensor) -> DiT:
    """The base with these rows `[n, dim]` of its class table as a network's classes."""
    model = on_base(shape, LabelEmbedder(len(rows), shape.width, null=False), read_base(file))
    model.y_embedder.embedding_table.weight.data = rows
    return model


def add_norm_affine(model: DiT) -> None:
    """Give every LayerNorm a scale of 1 and a shift of 0: the function stays what it was."""
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            width = module.normalized_shape[0]
            module.elementwise_affine = True
            module.weight = nn.Parameter(torch.ones(width))
            module.bias = nn.Parameter(torch.zeros(width))


def described(job: Job, pack: Pack) -> dict:
    """A run's settings with what its data adds to them: all that `network` asks."""
    from finefit.hierarchy.superclasses import superclass_of  # needs pandas, which a measuring machine may not have

    return job.settings | {
        "num_classes": int(pack.labels.max()) + 1,
        "superclass_of": superclass_of(job.inputs["hierarchy"]).tolist() if "hierarchy" in job.inputs else None,
        "latent_shape": list(pack.shape),
    }
