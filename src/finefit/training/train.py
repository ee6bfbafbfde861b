"""Fine-tuning: the loop. What a step sees is a function of the seed and its number (`finefit.training.batches`)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from finefit.jobs import ranks, stopping
from finefit.jobs.devices import store_frozen_as_bfloat16, uses_bfloat16
from finefit.jobs.finite import require_finite
from finefit.jobs.progress import earlier_seconds, keep_seconds, progress
from finefit.latents.pack import Pack
from finefit.models.dit import DiT
from finefit.models.shapes import CLASS_TABLE
from finefit.objectives import Material, Networks, plain
from finefit.training import state
from finefit.training.batches import draw
from finefit.training.convergence import require_converging
from finefit.training.optimizer import Optimizer

if TYPE_CHECKING:
    from finefit.study.sections import TrainSettings

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
    objective: plain.Objective | None = None,
    base: DiT | None = None,
) -> tuple[dict[str, Tensor], list[dict]]:
    """Train the parameters that require gradients; gives their moving average and the record of losses.

    Args:
        model: the network; its trained parameters change in place and hold the weights of the end.
        rates: peak learning rate of each trained parameter by name.
        pack: latents and labels.
        references: what a dropped label may become: "null", "superclass", both or none.
        state_file: where the state is kept while training goes on, and taken up from.
        objective: what is minimised; the papers' where left out.
        base: the untouched base at its null row, on the device, for objectives that need it.

    Raises:
        ToBeContinued: the job was told to stop; the state is kept.
        ValueError: the loss, or what was trained, is not finite.
    """
    low = uses_bfloat16(settings.precision, device)
    objective = objective or plain.Objective(plain.Settings(), Material(settings.steps))
    if low:
        store_frozen_as_bfloat16(model)
    model.recompute = settings.recompute
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    optimizer = Optimizer(trained, rates, settings)

    def with_precision(network: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def answer(*inputs: Tensor) -> Tensor:
            with torch.autocast(device, torch.bfloat16, enabled=low):
                return network(*inputs)

        return answer

    networks = Networks(
        with_precision(lambda *inputs: functional_call(model, {CLASS_TABLE: optimizer.table.leaf}, inputs)),
        with_precision(lambda *inputs: functional_call(model, optimizer.averaged(), inputs)),
        base and with_precision(base),
    )

    since_record = torch.zeros((), device=device)
    first, record = state.load(state_file, optimizer, since_record)
    recent: list[Tensor] = []  # losses, looked at many at once: to look is to wait for the GPU
    start = time.monotonic() - earlier_seconds(state_file.parent)
    due = time.monotonic() + SECONDS_BETWEEN_STATES
    rows_at_once = settings.batch_size
    model.train()
    for step in progress(range(first, settings.steps), "training steps", done=first):
        rows, batch = draw(pack, model.y_embedder, references, settings, seed, step, device, objective)
        torch.manual_seed(int(np.random.SeedSequence([seed, step, 1]).generate_state(1)[0]))  # of adapters with dropout
        leaves = optimizer.leaves(rows, step)
        loss, rows_at_once = backward(
            lambda part: objective.losses(part, networks), batch, settings.batch_size, rows_at_once, leaves
        )
        ranks.add([loss, *(leaf.grad for leaf in leaves if leaf.grad is not None)])
        optimizer.step(step)
        since_record += loss
        recent.append(loss)
        if (step + 1) % STEPS_PER_RECORD == 0 or step + 1 == settings.steps:
            require_converging(recent, step, record, max(rates.values()))
        if (step + 1) % STEPS_PER_RECORD == 0:
            record.append({"step": step + 1, "loss": since_record.item() / STEPS_PER_RECORD})
            since_record.zero_()
        told = ranks.any_rank(stopping.asked())
        if ranks.number() == 0 and (told or time.monotonic() > due):
            require_converging(recent, step, record, max(rates.values()))
            now = time.monotonic()
            state.save(state_file, optimizer, since_record, step + 1, record)
            keep_seconds(state_file.parent, now - start)
            due = now + max(SECONDS_BETWEEN_STATES, (time.monotonic() - now) / SHARE_FOR_STATES)
        if told:
            raise stopping.ToBeContinued
    optimizer.finish()
    require_finite(f"what was trained in {settings.steps} steps", optimizer.average | trained)
    return optimizer.average, record


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
