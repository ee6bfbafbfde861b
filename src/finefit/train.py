"""Fine-tuning: the loop, its randomness, and the state from which it resumes.

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

from finefit import ranks, stopping
from finefit.devices import uses_bfloat16
from finefit.diffusion import TRAIN_STEPS, Diffusion
from finefit.models.dit import DiT
from finefit.pack import Pack
from finefit.progress import earlier_seconds, progress

if TYPE_CHECKING:
    from finefit.config import TrainSettings

STEPS_PER_RECORD = 20
# A state is kept so often that keeping it costs at most a twentieth of the time.
SECONDS_BETWEEN_STATES, SHARE_FOR_STATES = 5.0, 0.05


def train(
    model: DiT,
    groups: list[dict],
    pack: Pack,
    settings: TrainSettings,
    references: list[str],
    seed: int,
    state_file: Path,
    device: str = "cpu",
) -> tuple[dict[str, Tensor], list[dict]]:
    """Train the parameters that require gradients; gives their moving average and the record of losses.

    Args:
        model: the network; its trained parameters change in place and hold the weights of the end.
        groups: optimizer groups (`params`, `lr`), all trained parameters in all.
        pack: latents and labels.
        references: what a dropped label may become: "null", "superclass", both or none.
        state_file: where the state is kept while training goes on, and taken up from.

    Raises:
        ToBeContinued: the job was told to stop; the state is kept.
    """
    diffusion = Diffusion()

    def losses(part: dict[str, Tensor]) -> Tensor:
        rows = model.y_embedder.drop(part["labels"], references, settings.label_dropout, part["uniform"])
        noised = diffusion.noised(part["latents"], part["t"], part["noise"])
        with torch.autocast(device, torch.bfloat16, enabled=uses_bfloat16(settings.precision, device)):
            output = model(noised, part["t"], rows)
        return diffusion.loss(output.float(), part["latents"], noised, part["t"], part["noise"])

    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)
    for group in optimizer.param_groups:
        group["peak"] = group["lr"]
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    average = {name: parameter.detach().clone() for name, parameter in trained.items()}
    since_record = torch.zeros((), device=device)
    first, record = load_state(state_file, trained, average, optimizer, since_record)
    start = time.monotonic() - earlier_seconds(state_file.parent)
    due = time.monotonic() + SECONDS_BETWEEN_STATES
    rows_at_once = settings.batch_size
    model.train()
    for step in progress(range(first, settings.steps), "training steps", done=first):
        batch = draw(pack, settings, seed, step, device)
        loss, rows_at_once = backward(losses, batch, settings.batch_size, rows_at_once, optimizer)
        ranks.add([loss, *(p.grad for p in trained.values() if p.grad is not None)])
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate(settings, step)
        optimizer.step()
        optimizer.zero_grad()
        decay = min(settings.ema_decay, (1 + step) / (10 + step))  # warmed up, so that short runs forget their start
        torch._foreach_lerp_(list(average.values()), [p.detach() for p in trained.values()], 1 - decay)
        since_record += loss
        if (step + 1) % STEPS_PER_RECORD == 0:
            record.append({"step": step + 1, "loss": since_record.item() / STEPS_PER_RECORD})
            since_record.zero_()
        told = ranks.any_rank(stopping.asked())
        if ranks.number() == 0 and (told or time.monotonic() > due):
            now = time.monotonic()
            save_state(state_file, step + 1, trained, average, optimizer, since_record, record)
            state_file.with_name("seconds").write_text(str(now - start))
            due = now + max(SECONDS_BETWEEN_STATES, (time.monotonic() - now) / SHARE_FOR_STATES)
        if told:
            raise stopping.ToBeContinued
    return average, record


def backward(
    losses: Callable[[dict[str, Tensor]], Tensor],
    batch: dict[str, Tensor],
    batch_size: int,
    rows_at_once: int,
    optimizer: torch.optim.Optimizer,
) -> tuple[Tensor, int]:
    """Gradients of this rank's share of the batch's mean loss, accumulated over as many rows at once as memory holds.

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
        optimizer.zero_grad()


def draw(pack: Pack, settings: TrainSettings, seed: int, step: int, device: str) -> dict[str, Tensor]:
    """What this rank needs for step `step`: latents, labels, timesteps, noise and the uniforms that drop labels.

    Chance is drawn for the whole batch, so that it does not depend on the number of ranks.
    """
    rows = batch_rows(pack.count, settings.batch_size, seed, step)
    chance = torch.Generator().manual_seed(
        int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)
    )
    n, mine = len(rows), ranks.share(len(rows))
    flips = torch.randint(2 if settings.flip else 1, (n,), generator=chance)[mine]
    noise = torch.randn(2, n, *pack.shape, generator=chance)[:, mine]
    batch = {
        "latents": pack.sample(rows[mine], flips.numpy(), noise[0]),
        "labels": pack.labels[rows[mine]],
        "noise": noise[1],
        "t": torch.randint(TRAIN_STEPS, (n,), generator=chance)[mine],
        "uniform": torch.rand(n, generator=chance)[mine],
    }
    return {name: values.to(device, non_blocking=True) for name, values in batch.items()}


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


def save_state(
    path: Path,
    step: int,
    trained: dict,
    average: dict,
    optimizer: torch.optim.Optimizer,
    since_record: Tensor,
    record: list,
) -> None:
    """Keep everything that the loop needs to go on, in one file replaced at once."""
    state = {
        "step": step,
        "trained": trained,
        "average": average,
        "optimizer": optimizer.state_dict(),
        "since_record": since_record,
        "record": record,
    }
    torch.save(state, path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)


def load_state(
    path: Path, trained: dict, average: dict, optimizer: torch.optim.Optimizer, since_record: Tensor
) -> tuple[int, list]:
    """Take up a kept state in place; gives the next step and the record so far (0 and none without one)."""
    if not path.exists():
        return 0, []
    state = torch.load(path, weights_only=True, map_location="cpu")
    with torch.no_grad():
        for name in trained:
            trained[name].copy_(state["trained"][name])
            average[name].copy_(state["average"][name])
        since_record.copy_(state["since_record"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"], state["record"]
