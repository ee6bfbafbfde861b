"""Dropping labels in training, so that sampling can be guided: classifier-free guidance (Ho and Salimans 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from finefit.models.embedders import LabelEmbedder, Reference


def drop_labels(
    labels: Tensor, embedder: LabelEmbedder, references: list[Reference], probability: float, uniform: Tensor
) -> Tensor:
    """Replace labels by reference rows, each reference with the given probability.

    FineDiffusion drops to the label's superclass row, the others to the null row.

    Args:
        labels: int64 `[n]`.
        embedder: the class table, whose rows the result names.
        references: what a dropped label may become.
        probability: chance of each reference.
        uniform: `[n]` numbers in [0, 1), the only source of chance.
    """
    rows = labels
    for number, reference in enumerate(references):
        chosen = (uniform >= number * probability) & (uniform < (number + 1) * probability)
        rows = torch.where(chosen, embedder.reference_rows(labels, reference), rows)
    return rows
