"""Methods on any network of linear layers, convolutions and norms: attached by hooks, taken off without a trace.

DiffFit's factors (arXiv 2304.06648, section 3.2; its six-D layout, which in its published count has a factor per
channel on the attention's queries, keys, values and output, and on each residual branch) all become factors on outputs
of linear layers: a branch's own factor multiplies the branch's last linear layer, which is the same function, since
only dropout and scalars lie between. Hence each factor folds into its layer's rows.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

RATES = {"full": 5e-6, "bitfit": 1e-3, "difffit": 1e-3, "lora": 1e-4}  # where a command is given none
FACTORS = ("gamma", "gamma_branch")
PROJECTIONS = ("to_q", "to_k", "to_v")  # what diffusers calls them in every attention
SKETCH = 64


@dataclass
class Attached:
    """What a method did to a network.

    Attributes:
        method: its name.
        settings: its settings, as JSON holds them.
        trained: names of the trained parameters, as the network with the method has them.
        sketch: a few weights of the network before the method, by which a delta knows its base.
        undo: what takes the method off again, last step first.
    """

    method: str
    settings: dict[str, Any]
    trained: set[str]
    sketch: list[float]
    undo: list[Callable[[], object]] = field(default_factory=list)


def attach(model: nn.Module, method: str, **settings: Any) -> Attached:
    """Add a method's parameters to a network and let only what it trains require gradients; the function stays.

    Args:
        model: any network; attached to afterwards, as `model.finefit`.
        method: "full", "bitfit", "difffit" (`layout` "six-D" or "two-D") or "lora" (`rank`).
        settings: the method's own; and for every method `also`, patterns (as in file names) of further parameters to
            train whole, as a new part of the network needs.

    Raises:
        ValueError: no such method or setting, or the network has one already, or nothing that the method could train.
    """
    if hasattr(model, "finefit"):
        raise ValueError(f"the network already has {model.finefit.method}: detach it first")
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}: use one of {', '.join(METHODS)}")
    taken, also = {"lora": {"rank"}, "difffit": {"layout"}}.get(method, set()), list(settings.get("also", []))
    if unknown := settings.keys() - taken - {"also"}:
        raise ValueError(f"{method}: {sorted(unknown)[0]}: unknown key; use {', '.join(sorted(taken | {'also'}))}")
    done = Attached(method, settings, set(), sketch(model))
    required = {parameter: parameter.requires_grad for parameter in model.parameters()}
    done.undo.append(lambda: [parameter.requires_grad_(state) for parameter, state in required.items()])
    try:
        base = dict(model.named_parameters())
        trained = METHODS[method](model, done.undo, **{key: settings[key] for key in taken & settings.keys()})
        for pattern in also:
            if not (found := fnmatch.filter(base, pattern)):
                raise ValueError(f"also: {pattern}: no parameter's name is like this")
            trained |= {base[name] for name in found}
        if not trained:
            raise ValueError(f"{method}: this network has nothing that it trains")
    except ValueError:
        unwind(done)
        raise
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(parameter in trained)
        if parameter in trained:
            done.trained.add(name)
    model.finefit = done
    return done


def detach(model: nn.Module) -> None:
    """Take a method off: the network's modules, parameters and hooks are the base's again.

    Values are the base's too where they came from a delta (`deltas.load`); what training changed in place stays.
    """
    if hasattr(model, "finefit"):
        unwind(model.finefit)
        del model.finefit


def unwind(done: Attached) -> None:
    """Undo what attaching did, last step first."""
    while done.undo:
        done.undo.pop()()


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """The trained parameters of a network that has a method, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if name in model.finefit.trained}


def sketch(model: nn.Module) -> list[float]:
    """The first entry of some matrices and kernels, evenly spread; zeros where a network has no memory."""
    weights = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    return [0.0 if w.is_meta else float(w.detach().flatten()[0]) for w in weights[:: 1 + len(weights) // SKETCH]]


def full(model: nn.Module, undo: list) -> set[nn.Parameter]:
    """Every parameter."""
    return set(model.parameters())


def bitfit(model: nn.Module, undo: list) -> set[nn.Parameter]:
    """Every bias (Ben Zaken et al. 2022)."""
    return {parameter for name, parameter in model.named_parameters() if name.split(".")[-1] == "bias"}


def difffit(model: nn.Module, undo: list, layout: str = "six-D") -> set[nn.Parameter]:
    """Every bias, every norm's scale and shift, and factors that start at 1; "two-D" has only those of branches."""
    if layout not in ("six-D", "two-D"):
        raise ValueError(f"difffit: layout is {layout!r}: use six-D or two-D")
    chosen = FACTORS if layout == "six-D" else FACTORS[1:]
    new = {add_factor(layer, name, undo) for layer, name in list(places(model)) if name in chosen}
    norms = [module for module in model.modules() if "Norm" in type(module).__name__]
    return new | bitfit(model, undo) | {own for norm in norms for own in norm.parameters(recurse=False)}


def places(model: nn.Module) -> Iterator[tuple[nn.Linear, str]]:
    """Where factors go: linear layers, each with the name of a factor on its output.

    An attention is what has the projections; a perceptron what keeps its layers in `net` and ends in a linear one.
    """
    for module in model.modules():
        if all(isinstance(getattr(module, name, None), nn.Linear) for name in PROJECTIONS):
            last = module.to_out[0] if isinstance(getattr(module, "to_out", None), nn.ModuleList) else None
            yield from ((layer, "gamma") for layer in (*(getattr(module, name) for name in PROJECTIONS), last) if layer)
            if last is not None:
                yield last, "gamma_branch"
        elif isinstance(getattr(module, "net", None), nn.ModuleList):
            linear = [layer for layer in module.net if isinstance(layer, nn.Linear)]
            if linear:
                yield linear[-1], "gamma_branch"


def add_factor(layer: nn.Linear, name: str, undo: list) -> nn.Parameter:
    """Multiply a layer's output by new factors of 1, one per channel."""
    factor = nn.Parameter(torch.ones(layer.out_features, dtype=layer.weight.dtype, device=layer.weight.device))
    layer.register_parameter(name, factor)
    hook = layer.register_forward_hook(lambda module, given, output: output * getattr(module, name))
    undo.append(lambda: (hook.remove(), delattr(layer, name)))
    return factor


def lora(model: nn.Module, undo: list, rank: int = 8) -> set[nn.Parameter]:
    """Low-rank updates of every attention's projections, B A x as it stands, through peft (Hu et al. 2021)."""
    if rank < 1:
        raise ValueError(f"lora: rank is {rank}: use a whole number of at least 1")
    layers = [layer for layer, name in places(model) if name == "gamma"]
    targets = [next(name for name, module in model.named_modules() if module is layer) for layer in layers]
    if not targets:
        return set()
    from finefit.jobs.torchvision_shim import importable_torchvision

    importable_torchvision()  # peft imports it on the way
    from peft import LoraConfig, inject_adapter_in_model

    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=targets), model)
    undo.append(lambda: [set_module(model, name, layer) for name, layer in zip(targets, layers, strict=True)])
    undo.append(lambda: delattr(model, "peft_config"))
    return {parameter for name, parameter in model.named_parameters() if ".lora_" in name}


def set_module(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of another, by its dotted name."""
    owner, _, last = name.rpartition(".")
    setattr(model.get_submodule(owner), last, module)


@torch.no_grad()
def fold(model: nn.Module) -> None:
    """Fold factors and low-rank updates into the layers they stand on; the network keeps its function and is plain.

    A factor multiplies its layer's rows and bias; an update is added to its layer's weight. The rest has values only.
    """
    for module in list(model.modules()):
        if hasattr(module, "lora_A"):
            module.merge()
        elif isinstance(module, nn.Linear):
            for factor in (getattr(module, name) for name in FACTORS if hasattr(module, name)):
                module.weight.mul_(factor[:, None])
                if module.bias is not None:
                    module.bias.mul_(factor)


def parameters_of(model: nn.Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


METHODS: dict[str, Callable[..., set[Tensor]]] = {"full": full, "bitfit": bitfit, "difffit": difffit, "lora": lora}
