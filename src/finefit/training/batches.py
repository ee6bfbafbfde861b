"""What a step of training sees. Every number of chance is a function of (seed, step) alone.

So an interrupted run needs no random state to continue, and its result equals the uninterrupted one's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from finefit.jobs import ranks
from finefit.latents.pack import Pack
from finefit.models.embedders import LabelEmbedder
from finefit.objectives import plain
from finefit.training.label_dropout import drop_labels

if TYPE_CHECKING:
    from finefit.study.sections import TrainSettings


def draw(
    pack: Pack,
    embedder: LabelEmbedder,
    references: list[str],
    settings: TrainSettings,
    seed: int,
    step: int,
    device: str,
    objective: plain.Objective,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The class table's rows that step `step` names, and what this rank needs: latents, places, noise, times and
    what else the objective drew.

    `places` says for each picture which of the rows is its label, or what the label was dropped to; of a summed class
    table which two, -1 for none. Chance is drawn
    for the whole batch, so that it does not depend on the number of ranks.
    """
    chosen = batch_rows(pack.count, settings.batch_size, seed, step)
    chance = torch.Generator().manual_seed(
        int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)
    )
    n, mine = len(chosen), ranks.share(len(chosen))
    flips = torch.randint(2 if settings.flip else 1, (n,), generator=chance)[mine]
    noise = torch.randn(2, n, *pack.shape, generator=chance)[:, mine]
    t = objective.process.times(n, chance)
    uniform = torch.rand(n, generator=chance)
    labels = drop_labels(pack.labels[chosen], embedder, references, settings.label_dropout, uniform)
    columns = objective.vary({"rows": labels, "t": t}, chance, step)
    rows, places = embedder.parts(columns.pop("rows")).unique(return_inverse=True)
    if rows[0] < 0:  # stands for no row, and does so among the places
        rows, places = rows[1:], places - 1
    latents = pack.sample(chosen[mine], flips.numpy(), noise[0])
    batch = {"latents": latents, "noise": noise[1]}
    batch |= {name: values[mine] for name, values in ({"places": places} | columns).items()}
    return rows, {name: values.to(device, non_blocking=True) for name, values in batch.items()}


def batch_rows(count: int, batch_size: int, seed: int, step: int) -> np.ndarray:
    """Rows of batch `step`: the data shuffled anew in every epoch, and no picture seen twice before all were once."""
    places = np.arange(step * batch_size, (step + 1) * batch_size)
    return np.array([epoch_order(count, seed, place // count)[place % count] for place in places])


@lru_cache(maxsize=2)
def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of `count` rows in one epoch."""
    return np.random.default_rng([seed, epoch]).permutation(count)
