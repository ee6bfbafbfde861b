"""Networks on disk: the base, and a run's delta (what its method trained or added, and nothing else)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from finefit import methods, sources
from finefit.models.dit import SIZES, DiT, Shape
from finefit.models.embedders import LabelEmbedder

if TYPE_CHECKING:
    from finefit.plan import Job

# Not taken from a base: its class table is another domain's, and positions follow from the resolution.
OWN = {methods.CLASS_TABLE, "pos_embed"}


def build_base(job: Job, out: Path, scratch: Path) -> None:
    """Phase "base": the verified checkpoint that fine-tuning starts from."""
    shutil.copyfile(sources.fetch(job.settings["weights"]["name"]), out / "base.safetensors")


def network(run: dict, base: Path | None) -> DiT:
    """The network that a run fine-tunes, at its step 0: base weights in place, the method's parameters added.

    Args:
        run: `method`, `method_settings`, `network` and `seed` of the job's settings, with `num_classes`,
            `superclass_of` (or None) and `latent_shape` `[c, h, w]` added.
        base: safetensors file of the base, None to start from random weights.

    Raises:
        ValueError: the base does not fit the network.
    """
    torch.manual_seed(run["seed"])
    method = methods.find(run["method"])
    settings = method.Settings(**run["method_settings"])
    channels, height, _ = run["latent_shape"]
    shape = Shape(run["network"]["size"], run["network"]["patch"], height, channels)
    tiered = torch.tensor(run["superclass_of"]) if settings.embedder == "tiered" else None
    embedder = LabelEmbedder(run["num_classes"], SIZES[shape.size][1], tiered, null="null" in settings.guidance)
    model = DiT(shape, embedder)
    if base is not None:
        load_base(model, base)
    if settings.norm_affine:
        add_norm_affine(model)
    model.trained = method.apply(model, settings)
    return model


def load_base(model: DiT, file: Path) -> None:
    """Copy a base's weights into a fresh network, all but class table and positions.

    Raises:
        ValueError: a tensor is missing, left over, or of another shape.
    """
    given = {name: value.float() for name, value in load_file(file).items() if name not in OWN}
    wanted = {name: value for name, value in model.state_dict().items() if name not in OWN}
    faults = [f"missing {name}" for name in wanted.keys() - given.keys()]
    faults += [f"left over {name}" for name in given.keys() - wanted.keys()]
    for name in wanted.keys() & given.keys():
        if wanted[name].shape != given[name].shape:
            faults.append(f"{name} is {list(given[name].shape)}, needed {list(wanted[name].shape)}")
    if faults:
        raise ValueError(
            f"{file}: does not fit the network of the study (base.size, base.patch): {'; '.join(sorted(faults)[:5])}"
        )
    model.load_state_dict(given, strict=False)


def add_norm_affine(model: DiT) -> None:
    """Give every LayerNorm a scale of 1 and a shift of 0: the function stays what it was."""
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            width = module.normalized_shape[0]
            module.elementwise_affine = True
            module.weight = nn.Parameter(torch.ones(width))
            module.bias = nn.Parameter(torch.zeros(width))


def save_delta(file: Path, tensors: dict[str, Tensor], run: dict, base_digest: str | None) -> None:
    """Write a delta with the run's description and the digest of its base (one entry: safetensors shuffles several)."""
    metadata = {"finefit": json.dumps({"run": run, "base": base_digest})}
    save_file({name: value.detach().cpu().contiguous() for name, value in sorted(tensors.items())}, file, metadata)


def load_delta(file: Path, base: Path | None, base_digest: str | None) -> DiT:
    """The fine-tuned network that a delta and its base make.

    Raises:
        ValueError: the delta belongs to another base, or its tensors are not the method's.
    """
    with safe_open(file, "pt") as opened:
        metadata = json.loads(opened.metadata()["finefit"])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    if metadata["base"] != base_digest:
        raise ValueError(
            f"{file}: made on base {metadata['base']}, not on {base_digest}; a delta fits its own base only"
        )
    model = network(metadata["run"], base)
    if model.trained != tensors.keys():
        raise ValueError(
            f"{file}: its tensors are not what the method trains: {sorted(model.trained ^ tensors.keys())[:5]}"
        )
    model.load_state_dict(tensors, strict=False)
    return model


def export(run: Job, folder: Path) -> None:
    """Write the averaged weights of a run that started from scratch as `mini-32.safetensors`, half precision.

    The run's provenance goes beside it.

    Raises:
        ValueError: the run has a base of its own, so its delta is not a whole network.
    """
    if "base" in run.inputs:
        raise ValueError(f"{run.path}: started from a base; only a run with base.weights: null is a base itself")
    model = load_delta(run.path / "delta.safetensors", None, None)
    tensors = {name: value.half() for name, value in sorted(model.state_dict().items())}
    save_file(tensors, folder / "mini-32.safetensors", {"run": run.digest})
    shutil.copyfile(run.marker, folder / "mini-32.provenance.json")
