"""Embeddings that condition or place tokens: labels (flat, tiered or summed), times, positions.

Rows of the class table, in order: the classes; then one row per superclass when the embedder is tiered
(FineDiffusion's TieredEmbedder: a single table in which row `num_classes + s` is superclass `s`); then one null row
when classifier-free guidance needs it (DiT puts it at `num_classes`, as here when there are no superclass rows).

A summed embedder (as EFDiT's, arXiv 2512.05152) has a tiered one's rows; a class's condition is its row and its
superclass's added up, a superclass's its own row alone.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

Reference = Literal["null", "superclass"]


class LabelEmbedder(nn.Module):
    """Class table with the rows that guidance refers to.

    Args:
        num_classes: number of classes.
        dim: width of an embedding.
        superclass_of: int64 `[num_classes]`, each class's superclass; gives the table superclass rows (tiered).
        null: whether the table ends with a null row.
        summed: whether a class's condition is the sum of its row and its superclass's.
    """

    def __init__(
        self,
        num_classes: int,
        dim: int,
        superclass_of: Tensor | None = None,
        null: bool = True,
        summed: bool = False,
    ):
        super().__init__()
        self.summed = summed
        self.num_classes = num_classes
        self.num_superclasses = 0 if superclass_of is None else int(superclass_of.max()) + 1
        self.null_row = num_classes + self.num_superclasses if null else None
        self.superclass_of = superclass_of  # no buffer: published checkpoints hold the table alone; stays on the CPU
        self.embedding_table = nn.Embedding(num_classes + self.num_superclasses + null, dim)
        self.register_module("scale", None)

    def check(self, labels: Tensor) -> None:
        """Raise ValueError where a label `[n]` is no class of the table."""
        if ((labels < 0) | (labels >= self.num_classes)).any():
            wrong = int(labels[(labels < 0) | (labels >= self.num_classes)][0])
            raise ValueError(f"class {wrong}: the table has classes 0 to {self.num_classes - 1}")

    def reference_rows(self, labels: Tensor, reference: Reference) -> Tensor:
        """Rows of the condition that guidance points away from: `[n]` labels to `[n]` row numbers.

        Raises:
            ValueError: the table has no such rows.
        """
        if reference == "superclass":
            if self.superclass_of is None:
                raise ValueError("guidance 'superclass' needs a tiered embedder; this class table is flat")
            return self.num_classes + self.superclass_of.to(labels.device)[labels]
        if self.null_row is None:
            raise ValueError("guidance 'null' needs a null row; this class table has none")
        return torch.full_like(labels, self.null_row)

    def parts(self, rows: Tensor) -> Tensor:
        """The rows that make up conditions `[n]`: these themselves, or in a summed table `[n, 2]`, -1 for none."""
        if not self.summed or self.superclass_of is None:
            return rows
        is_class = rows < self.num_classes
        superclasses = self.reference_rows(rows.where(is_class, 0), "superclass").where(is_class, -1)
        return torch.stack([rows, superclasses], dim=1)

    def forward(self, rows: Tensor, scale: Tensor | None = None) -> Tensor:
        """Conditions `[n]` or their parts, and scales of guidance `[n]` where the network takes them (else 1), to
        `[n, dim]`."""
        parts = self.parts(rows) if rows.dim() == 1 else rows
        if parts.dim() == 1:
            vectors = self.embedding_table(parts)
        else:
            vectors = (self.embedding_table(parts.clamp(min=0)) * (parts >= 0)[..., None]).sum(1)
        if self.scale is None:
            return vectors
        return vectors + self.scale(torch.ones(len(rows)).to(rows.device) if scale is None else scale)


class TimestepEmbedder(nn.Module):
    """Sinusoidal features of the timestep through a two-layer MLP (DiT, section 3.2)."""

    def __init__(self, dim: int, num_frequencies: int = 256):
        super().__init__()
        self.num_frequencies = num_frequencies
        self.mlp = nn.Sequential(nn.Linear(num_frequencies, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, t: Tensor) -> Tensor:
        """Timesteps `[n]` (integers or fractions, in steps of the training schedule) to embeddings `[n, dim]`."""
        return self.mlp(sinusoid(t, self.num_frequencies).to(next(self.mlp.parameters()).dtype))


class ScaleEmbedder(TimestepEmbedder):
    """Features of the scale of guidance, which a network may be given as a condition; zero at the start."""

    STEPS = 100.0  # of the sinusoids, to a scale that is 1 larger

    def __init__(self, dim: int):
        super().__init__(dim)
        nn.init.normal_(self.mlp[0].weight, std=0.02)
        for parameter in (self.mlp[0].bias, self.mlp[2].weight, self.mlp[2].bias):
            nn.init.zeros_(parameter)

    def forward(self, scale: Tensor) -> Tensor:
        """Scales `[n]`, 1 for none, to embeddings `[n, dim]`."""
        return super().forward(self.STEPS * (scale - 1))


def sinusoid(t: Tensor, dim: int, max_period: float = 10_000.0) -> Tensor:
    """Cosines then sines of `t` `[n]` at `dim / 2` geometric frequencies: `[n, dim]`, at least float32."""
    t = t if t.dtype == torch.float64 else t.float()
    frequencies = torch.exp(-math.log(max_period) / (dim // 2) * torch.arange(dim // 2, dtype=t.dtype, device=t.device))
    angles = t[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def position_embedding(dim: int, grid: int, coordinate_scale: float = 1.0) -> Tensor:
    """Fixed 2-D sin-cos embedding of a `grid x grid` token map: float32 `[1, grid * grid, dim]`, row-major.

    The first half of the channels encodes the column, the second the row, each as sines then cosines (MAE, DiT).
    `coordinate_scale=0.5` squeezes a grid twice as fine into the old range: DiffFit's start from a low resolution.
    """
    frequencies = 10_000.0 ** -(torch.arange(dim // 4, dtype=torch.float64, device="cpu") / (dim // 4))
    angles = (torch.arange(grid, dtype=torch.float64, device="cpu") * coordinate_scale)[:, None] * frequencies
    axis = torch.cat([angles.sin(), angles.cos()], dim=1)  # [grid, dim / 2]
    columns = axis[None, :, :].expand(grid, grid, dim // 2)
    rows = axis[:, None, :].expand(grid, grid, dim // 2)
    return torch.cat([columns, rows], dim=2).reshape(1, grid * grid, dim).float()
