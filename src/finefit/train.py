"""Fine-tuning: the loop and its randomness.

Every number of chance at a step is a function of (seed, step) alone, so an interrupted run needs no random state to
continue, and its result equals the uninterrupted one's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from finefit import ranks, stopping
from finefit.devices import store_frozen_as_bfloat16, uses_bfloat16
from finefit.diffusion import TRAIN_STEPS, Diffusion
from finefit.methods import CLASS_TABLE
from finefit.models.dit import DiT
from finefit.models.embedders import LabelEmbedder
from finefit.pack import Pack
from finefit.progress import earlier_seconds, keep_seconds, progress
from finefit.rowwise import RowwiseAdam
from finefit.state import State

if TYPE_CHECKING:
    from finefit.config import TrainSettings

STEPS_PER_RECORD = 20
# A state is kept so often that keeping it costs at most a twentieth of the time.
SECONDS_BETWEEN_STATES, SHARE_FOR_STATES = 5.0, 0.05


def train(
    model: DiT,
    rates: dict[str, float],
    pack: Pack,
    settings: TrainSettings,
    references: list[str],
    seed: int,
    state_file: Path,
    device: str = "cpu",
) -> tuple[dict[str, Tensor], list[dict]]:
    """Train the parameters that require gradients; gives their moving average and the record of losses.

    The class table is trained row by row (`finefit.rowwise`), everything else by fused AdamW.

    Args:
        model: the network; its trained parameters change in place and hold the weights of the end.
        rates: peak learning rate of each trained parameter by name.
        pack: latents and labels.
        references: what a dropped label may become: "null", "superclass", both or none.
        state_file: where the state is kept while training goes on, and taken up from.

    Raises:
        ToBeContinued: the job was told to stop; the state is kept.
    """
    diffusion, low = Diffusion(), uses_bfloat16(settings.precision, device)
    if low:
        store_frozen_as_bfloat16(model)
    model.recompute = settings.recompute
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    average = {name: parameter.detach().clone() for name, parameter in trained.items()}
    others = {name: parameter for name, parameter in trained.items() if name != CLASS_TABLE}
    shares = np.array([rate(settings, step) for step in range(settings.steps)])
    decays = np.array([decay(settings, step) for step in range(settings.steps)])
    table = RowwiseAdam(trained[CLASS_TABLE], average[CLASS_TABLE], rates[CLASS_TABLE] * shares, decays)
    optimizer = torch.optim.AdamW(groups(others, rates), weight_decay=settings.weight_decay, fused=True)

    def losses(part: dict[str, Tensor]) -> Tensor:
        noised = diffusion.noised(part["latents"], part["t"], part["noise"])
        with torch.autocast(device, torch.bfloat16, enabled=low):
            output = functional_call(model, {CLASS_TABLE: table.leaf}, (noised, part["t"], part["places"]))
        return diffusion.loss(output.float(), part["latents"], noised, part["t"], part["noise"])

    since_record = torch.zeros((), device=device)
    state = State(state_file, [*trained.values(), *average.values(), since_record], [optimizer, table])
    first, record = state.load()
    start = time.monotonic() - earlier_seconds(state_file.parent)
    due = time.monotonic() + SECONDS_BETWEEN_STATES
    rows_at_once = settings.batch_size
    model.train()
    for step in progress(range(first, settings.steps), "training steps", done=first):
        rows, batch = draw(pack, model.y_embedder, references, settings, seed, step, device)
        leaves = [table.window(rows, step), *others.values()]
        loss, rows_at_once = backward(losses, batch, settings.batch_size, rows_at_once, leaves)
        ranks.add([loss, *(leaf.grad for leaf in leaves if leaf.grad is not None)])
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * float(shares[step])
        optimizer.step()
        optimizer.zero_grad()
        table.update(step)
        torch._foreach_lerp_(
            [average[name] for name in others], [p.detach() for p in others.values()], 1 - decays[step]
        )
        since_record += loss
        if (step + 1) % STEPS_PER_RECORD == 0:
            record.append({"step": step + 1, "loss": since_record.item() / STEPS_PER_RECORD})
            since_record.zero_()
        told = ranks.any_rank(stopping.asked())
        if ranks.number() == 0 and (told or time.monotonic() > due):
            now = time.monotonic()
            state.save(step + 1, record)
            keep_seconds(state_file.parent, now - start)
            due = now + max(SECONDS_BETWEEN_STATES, (time.monotonic() - now) / SHARE_FOR_STATES)
        if told:
            raise stopping.ToBeContinued
    table.finish(settings.steps)
    return average, record


def groups(parameters: dict[str, Tensor], rates: dict[str, float]) -> list[dict]:
    """Optimizer groups by peak learning rate; one without parameters where only the class table is trained."""
    members: dict[float, list[Tensor]] = {}
    for name, parameter in parameters.items():
        members.setdefault(rates[name], []).append(parameter)
    return [{"params": members[peak], "lr": peak, "peak": peak} for peak in members] or [{"params": [], "peak": 0.0}]


def backward(
    losses: Callable[[dict[str, Tensor]], Tensor],
    batch: dict[str, Tensor],
    batch_size: int,
    rows_at_once: int,
    leaves: list[Tensor],
) -> tuple[Tensor, int]:
    """Gradients at `leaves` of this rank's share of the batch's mean loss, over as many rows at once as memory holds.

    Gives the share of the mean loss, and the rows at once: halved until the device has the memory.
    """
    while True:
        total = torch.zeros((), device=batch["t"].device)
        try:
            for part in zip(*(values.split(rows_at_once) for values in batch.values()), strict=True):
                loss = losses(dict(zip(batch, part, strict=True))).sum() / batch_size
                loss.backward()
                total += loss.detach()
            return total, rows_at_once
        except torch.OutOfMemoryError:
            if rows_at_once == 1:
                raise
        rows_at_once = min(rows_at_once, len(batch["t"])) // 2 or 1
        for leaf in leaves:
            leaf.grad = None


def draw(
    pack: Pack,
    embedder: LabelEmbedder,
    references: list[str],
    settings: TrainSettings,
    seed: int,
    step: int,
    device: str,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The class table's rows that step `step` names, and what this rank needs: latents, places, timesteps and noise.

    `places` says for each picture which of the rows is its label, or what the label was dropped to. Chance is drawn
    for the whole batch, so that it does not depend on the number of ranks.
    """
    chosen = batch_rows(pack.count, settings.batch_size, seed, step)
    chance = torch.Generator().manual_seed(
        int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)
    )
    n, mine = len(chosen), ranks.share(len(chosen))
    flips = torch.randint(2 if settings.flip else 1, (n,), generator=chance)[mine]
    noise = torch.randn(2, n, *pack.shape, generator=chance)[:, mine]
    t = torch.randint(TRAIN_STEPS, (n,), generator=chance)[mine]
    uniform = torch.rand(n, generator=chance)
    labels = embedder.drop(pack.labels[chosen], references, settings.label_dropout, uniform)
    rows, places = labels.unique(return_inverse=True)
    latents = pack.sample(chosen[mine], flips.numpy(), noise[0])
    batch = {"latents": latents, "places": places[mine], "noise": noise[1], "t": t}
    return rows, {name: values.to(device, non_blocking=True) for name, values in batch.items()}


def batch_rows(count: int, batch_size: int, seed: int, step: int) -> np.ndarray:
    """Rows of batch `step`: the data shuffled anew in every epoch, and no picture seen twice before all were once."""
    places = np.arange(step * batch_size, (step + 1) * batch_size)
    return np.array([epoch_order(count, seed, place // count)[place % count] for place in places])


@lru_cache(maxsize=2)
def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of `count` rows in one epoch."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def rate(settings: TrainSettings, step: int) -> float:
    """Share of the peak learning rate at a step: linear warm-up, then constant or a half cosine to zero."""
    warm = min(1.0, (step + 1) / max(settings.warmup_steps, 1))
    if settings.schedule == "constant":
        return warm
    return warm * 0.5 * (1 + math.cos(math.pi * step / settings.steps))


def decay(settings: TrainSettings, step: int) -> float:
    """Decay of the moving average at a step, warmed up, so that short runs forget their start."""
    return min(settings.ema_decay, (1 + step) / (10 + step))
