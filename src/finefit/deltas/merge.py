"""Folding what a method added into weights of the base's shapes, where the mathematics allows it.

A factor on a linear layer's output multiplies its rows; peft folds its own adapters where it can (a low-rank update is
added to the weight); a LayerNorm's scale w and shift b pass through adaLN, since (n w + b)(1 + scale) + shift =
n (w (1 + scale)) + (b (1 + scale) + shift) and both `scale` and `shift` are rows of one linear layer; in a summed class
table a class's row takes up its superclass's, which makes it a tiered one. Prompts and bottlenecks are new computations
without such a form.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from finefit.models.dit import DiT
from finefit.models.embedders import LabelEmbedder

NOT_OF_THE_BASE = (".prompt", ".adapter.", "y_embedder.scale.")  # computations of their own, by their names


@torch.no_grad()
def merged(model: DiT, keep_norms: bool = False) -> DiT:
    """A network of plain layers that computes what `model` does, up to rounding; `model` stays as it is.

    Args:
        model: a fine-tuned network.
        keep_norms: leave LayerNorm's trained scale and shift in place, as FineDiffusion's released layout has them.

    Raises:
        ValueError: it holds prompts, bottlenecks, scales of guidance, or adapters that peft does not fold.
    """
    extra = [name for name, _ in model.named_parameters() if any(place in name for place in NOT_OF_THE_BASE)]
    if extra:
        raise ValueError(
            f"cannot be merged: {extra[0]} and {len(extra) - 1} more are computations of their own "
            "and fold into no weight of the base; use base and delta"
        )
    model = copy.deepcopy(model)
    for name, module in list(model.named_modules()):
        if hasattr(module, "get_base_layer"):
            owner, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(owner), leaf, without_adapter(name, module))
    for block in model.blocks:
        for layer, owner, name in (
            (block.attn.qkv, block.attn, "gamma_qkv"),
            (block.attn.proj, block.attn, "gamma_proj"),
            (block.attn.proj, block, "gamma1"),
            (block.mlp.fc2, block, "gamma2"),
        ):
            fold_factors(layer, owner, name)
    fold_sums(model.y_embedder)
    if not keep_norms and model.final_layer.norm_final.weight is not None:
        fold_norms(model)
    return model


def without_adapter(name: str, layer: nn.Module) -> nn.Linear:
    """The plain linear layer that one of peft's makes with its adapter folded in.

    Raises:
        ValueError: peft does not fold it.
    """
    try:
        layer.merge()
    except (NotImplementedError, AttributeError, ValueError, RuntimeError) as error:
        raise ValueError(f"cannot be merged: peft says of {name}: {error}; use base and delta") from None
    return layer.get_base_layer()


def fold_factors(layer: nn.Linear, owner: nn.Module, name: str) -> None:
    """Multiply the rows of `layer` by the factors `owner.name`, which then are gone."""
    factors = getattr(owner, name)
    if factors is not None:
        layer.weight.data = layer.weight * factors[:, None]
        layer.bias.data = layer.bias * factors
        owner.register_parameter(name, None)


def fold_sums(table: LabelEmbedder) -> None:
    """Let every class's row be the whole of its condition."""
    if table.summed and table.superclass_of is not None:
        rows = table.embedding_table.weight.data.clone()
        rows[: table.num_classes] += rows[table.num_classes + table.superclass_of]
        table.embedding_table.weight.data, table.summed = rows, False


def fold_norms(model: DiT) -> None:
    """Let adaLN's shift and scale do what LayerNorm's own did."""
    for block in model.blocks:
        fold_norm(block.norm1, block.adaLN_modulation[1], shift=0, scale=1)
        fold_norm(block.norm2, block.adaLN_modulation[1], shift=3, scale=4)
    fold_norm(model.final_layer.norm_final, model.final_layer.adaLN_modulation[1], shift=0, scale=1)


def fold_norm(norm: nn.LayerNorm, adaln: nn.Linear, shift: int, scale: int) -> None:
    """Fold one norm into the chunks `shift` and `scale` of the layer that modulates it."""
    width, w, b = len(norm.weight), norm.weight.data, norm.bias.data
    weight, bias = adaln.weight.data.clone(), adaln.bias.data.clone()
    shifts, scales = slice(shift * width, (shift + 1) * width), slice(scale * width, (scale + 1) * width)
    weight[shifts] += b[:, None] * weight[scales]
    bias[shifts] += b * (1 + bias[scales])
    weight[scales] *= w[:, None]
    bias[scales] = w * (1 + bias[scales]) - 1
    adaln.weight.data, adaln.bias.data = weight, bias
    norm.elementwise_affine = False
    norm.register_parameter("weight", None)
    norm.register_parameter("bias", None)
