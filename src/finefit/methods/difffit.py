"""DiffFit (arXiv 2304.06648): biases, LayerNorm, class table, and scale factors that start at 1.

Two layouts of the factors are published: "two-D" (one vector on each residual branch, as in the depth ablation) and
"six-D" (also on the outputs of qkv and projection, as in the final method; its count is what Table 1 prints).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from finefit.methods import MethodSettings, biases, freeze_all_but, norms
from finefit.models.shapes import CLASS_TABLE

if TYPE_CHECKING:
    from finefit.models.dit import DiT


@dataclass(frozen=True)
class Settings(MethodSettings):
    """DiffFit's own settings.

    Attributes:
        layout: which outputs get factors.
        blocks: first and last block (counted from 1) with factors; None takes the first half, 14 of DiT-XL's 28.
    """

    norm_affine: bool = True
    layout: Literal["six-D", "two-D"] = "six-D"
    blocks: tuple[int, int] | None = None

    def block_range(self, depth: int) -> tuple[int, int]:
        """First and last block (counted from 1) with factors, of a network of `depth` blocks."""
        return self.blocks or (1, depth // 2)

    def check_depth(self, depth: int) -> None:
        """Refuse a block range that the network does not have."""
        first, last = self.block_range(depth)
        if not 1 <= first <= last <= depth:
            raise ValueError(f"blocks is [{first}, {last}]: the network has blocks 1 to {depth}")


def apply(model: DiT, settings: Settings) -> set[str]:
    """Add the factors; train them with biases, norms and class table.

    Raises:
        ValueError: the block range lies outside the network.
    """
    import torch

    depth, dim = model.shape.depth, model.shape.width
    settings.check_depth(depth)
    first, last = settings.block_range(depth)
    for block in model.blocks[first - 1 : last]:
        places = [(block, "gamma1", dim), (block, "gamma2", dim)]
        if settings.layout == "six-D":
            places += [(block.attn, "gamma_qkv", 3 * dim), (block.attn, "gamma_proj", dim)]
        for module, name, width in places:
            module.register_parameter(name, torch.nn.Parameter(torch.ones(width)))
    factors = {name for name, _ in model.named_parameters() if "gamma" in name}
    return freeze_all_but(model, factors | biases(model) | norms(model) | {CLASS_TABLE})
