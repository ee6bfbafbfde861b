"""DiT's parameters under the names of diffusers' `DiTTransformer2DModel`, there and back.

diffusers splits the fused qkv in three and gives every block its own copies of timestep embedder and class table. It
stores no positions: they follow from the size of the latent, which its config.json names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from finefit.jobs import readers, tensors
from finefit.models.embedders import position_embedding
from finefit.models.shapes import CLASS_TABLE, Shape

FILE, CONFIG = "diffusion_pytorch_model.safetensors", "config.json"
MARK = "pos_embed.proj.weight"  # what only this layout has
NETWORK = {"pos_embed.proj": "x_embedder.proj", "proj_out_1": "final_layer.adaLN_modulation.1"} | {
    "proj_out_2": "final_layer.linear"
}
BLOCK = {
    "norm1.linear": "adaLN_modulation.1",
    "attn1.to_out.0": "attn.proj",
    "ff.net.0.proj": "mlp.fc1",
    "ff.net.2": "mlp.fc2",
}
COPIED = {  # into every block
    "norm1.emb.timestep_embedder.linear_1": "t_embedder.mlp.0",
    "norm1.emb.timestep_embedder.linear_2": "t_embedder.mlp.2",
    "norm1.emb.class_embedder.embedding_table": "y_embedder.embedding_table",
}
PARTS = ("weight", "bias")
SAMPLE_SIZE = 32  # diffusers' default, where a file comes without its config.json


def is_layout_of(file: Path) -> bool:
    """Whether a safetensors file is in this layout."""
    with tensors.opened(file) as opened:
        return MARK in opened.keys()


def config(shape: Shape, rows: int) -> dict[str, Any]:
    """Arguments of `DiTTransformer2DModel` for a network with so many rows in its class table.

    `num_embeds_ada_norm` is one less, since diffusers adds a null row; `norm_eps` is the published one.
    """
    return {
        "num_attention_heads": shape.heads,
        "attention_head_dim": shape.width // shape.heads,
        "in_channels": shape.latent_channels,
        "out_channels": 2 * shape.latent_channels,
        "num_layers": shape.depth,
        "sample_size": shape.latent_size,
        "patch_size": shape.patch,
        "num_embeds_ada_norm": rows - 1,
        "norm_eps": 1e-6,
    }


def to_diffusers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A plain network's tensors under diffusers' names; copies share memory, positions are left out."""
    renamed = {}
    for theirs, ours in names(depth_of(state, "blocks")).items():
        renamed |= {f"{theirs}.{part}": state[f"{ours}.{part}"] for part in PARTS if f"{ours}.{part}" in state}
    for number in range(depth_of(state, "blocks")):
        for part in PARTS:
            split = state[f"blocks.{number}.attn.qkv.{part}"].chunk(3)
            for name, rows in zip("qkv", split, strict=True):
                renamed[f"transformer_blocks.{number}.attn1.to_{name}.{part}"] = rows
    return renamed


def from_diffusers(state: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    """A plain network's tensors, positions included, from a file in diffusers' layout.

    Args:
        state: the file's tensors.
        file: where they came from; its config.json, which tells the latent's size, stands beside it.

    Raises:
        ValueError: a tensor is missing or left over, the blocks' copies differ, or the config is another network's.
    """
    left = {name: value for name, value in state.items() if name != "pos_embed.pos_embed"}  # of old files
    depth, plain = depth_of(state, "transformer_blocks"), {}
    try:
        for theirs, ours in names(depth).items():
            for part in PARTS:
                if f"{ours}.{part}" != f"{CLASS_TABLE.removesuffix('.weight')}.bias":
                    value = left.pop(f"{theirs}.{part}")
                    if not torch.equal(plain.setdefault(f"{ours}.{part}", value), value):
                        raise ValueError(f"{file}: {theirs}.{part} is not the first block's; DiT has one for all")
        for number in range(depth):
            for part in PARTS:
                split = [left.pop(f"transformer_blocks.{number}.attn1.to_{name}.{part}") for name in "qkv"]
                plain[f"blocks.{number}.attn.qkv.{part}"] = torch.cat(split)
    except KeyError as missing:
        raise ValueError(f"{file}: is no DiT in diffusers' layout: {missing.args[0]} is missing") from None
    if left:
        raise ValueError(f"{file}: is no plain DiT in diffusers' layout: left over {', '.join(sorted(left)[:5])}")
    width, _, patch, _ = plain["x_embedder.proj.weight"].shape
    size = told(file.with_name(CONFIG), {"num_layers": depth, "patch_size": patch})
    return plain | {"pos_embed": position_embedding(width, size // patch)}


def names(depth: int) -> dict[str, str]:
    """Our module for every module of diffusers' but the split projections."""
    known = dict(NETWORK)
    for number in range(depth):
        block = f"transformer_blocks.{number}"
        known |= {f"{block}.{theirs}": f"blocks.{number}.{ours}" for theirs, ours in BLOCK.items()}
        known |= {f"{block}.{theirs}": ours for theirs, ours in COPIED.items()}
    return known


def depth_of(state: dict[str, Tensor], blocks: str) -> int:
    """How many blocks a state has, whose names start with `blocks`."""
    return len({name.split(".")[1] for name in state if name.startswith(f"{blocks}.")})


def told(file: Path, known: dict[str, int]) -> int:
    """Side of the latent that a config.json names; diffusers' default where there is none.

    Raises:
        ValueError: it contradicts what the tensors show.
    """
    if not file.is_file():
        return SAMPLE_SIZE
    content = readers.content(file, "give the one that belongs to the weights")
    for key, value in known.items():
        if content.get(key, value) != value:
            raise ValueError(f"{file}: {key} is {content[key]}, but the tensors beside it have {value}")
    return content.get("sample_size", SAMPLE_SIZE)
