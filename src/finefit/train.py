"""Fine-tuning: the loop, its randomness, and the state from which it resumes.

Every number of chance at a step is a function of (seed, step) alone, so an interrupted run needs no random state to
continue, and its result equals the uninterrupted one's.
"""

from __future__ import annotations

import math
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from finefit.diffusion import TRAIN_STEPS, Diffusion
from finefit.latents import Pack
from finefit.models.dit import DiT
from finefit.progress import earlier_seconds, progress

if TYPE_CHECKING:
    from finefit.config import TrainSettings

STEPS_PER_RECORD = 20
SECONDS_BETWEEN_STATES, SHARE_FOR_STATES = (
    5.0,
    0.05,
)  # a state is kept so often that keeping it costs at most a twentieth


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
    """
    diffusion = Diffusion()
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)
    for group in optimizer.param_groups:
        group["peak"] = group["lr"]
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    average = {name: parameter.detach().clone() for name, parameter in trained.items()}
    first, record = load_state(state_file, trained, average, optimizer)
    losses = torch.zeros((), device=device)
    start = time.monotonic() - earlier_seconds(state_file.parent)
    due = time.monotonic() + SECONDS_BETWEEN_STATES
    model.train()
    for step in progress(range(first, settings.steps), "training steps", done=first):
        batch = draw(pack, settings, seed, step, device)
        rows = model.y_embedder.drop(batch["labels"], references, settings.label_dropout, batch["uniform"])
        noised = diffusion.noised(batch["latents"], batch["t"], batch["noise"])
        with torch.autocast(device, torch.bfloat16, enabled=uses_bfloat16(settings.precision, device)):
            output = model(noised, batch["t"], rows)
        loss = diffusion.loss(output.float(), batch["latents"], noised, batch["t"], batch["noise"]).mean()
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate(settings, step)
        optimizer.step()
        optimizer.zero_grad()
        decay = min(settings.ema_decay, (1 + step) / (10 + step))  # warmed up, so that short runs forget their start
        torch._foreach_lerp_(list(average.values()), [p.detach() for p in trained.values()], 1 - decay)
        losses += loss.detach()
        if (step + 1) % STEPS_PER_RECORD == 0:
            record.append({"step": step + 1, "loss": losses.item() / STEPS_PER_RECORD})
            losses.zero_()
            if time.monotonic() > due:
                now = time.monotonic()
                save_state(state_file, step + 1, trained, average, optimizer, record)
                state_file.with_name("seconds").write_text(str(now - start))
                due = now + max(SECONDS_BETWEEN_STATES, (time.monotonic() - now) / SHARE_FOR_STATES)
    return average, record


def draw(pack: Pack, settings: TrainSettings, seed: int, step: int, device: str) -> dict[str, Tensor]:
    """Everything that step `step` needs: latents, labels, timesteps, noise and the uniforms that drop labels."""
    rows = batch_rows(pack.count, settings.batch_size, seed, step)
    chance = torch.Generator().manual_seed(
        int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)
    )
    n = len(rows)
    flips = torch.randint(2 if settings.flip else 1, (n,), generator=chance)
    noise = torch.randn(2, n, *pack.shape, generator=chance)
    batch = {
        "latents": pack.sample(rows, flips.numpy(), noise[0]),
        "labels": pack.labels[rows],
        "noise": noise[1],
        "t": torch.randint(TRAIN_STEPS, (n,), generator=chance),
        "uniform": torch.rand(n, generator=chance),
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


@lru_cache(maxsize=1)
def cpu_has_bfloat16_matrices() -> bool:
    """Whether this CPU multiplies bfloat16 matrices in hardware (AMX); without that bfloat16 is slower than float32."""
    return torch.cpu._is_amx_tile_supported()


def uses_bfloat16(precision: str, device: str) -> bool:
    """Whether the network runs under bfloat16 autocast: as set, or where the hardware gains by it ("auto")."""
    return precision == "bfloat16" or (precision == "auto" and (device != "cpu" or cpu_has_bfloat16_matrices()))


def save_state(
    path: Path, step: int, trained: dict, average: dict, optimizer: torch.optim.Optimizer, record: list
) -> None:
    """Keep everything that the loop needs to go on, in one file replaced at once."""
    state = {
        "step": step,
        "trained": trained,
        "average": average,
        "optimizer": optimizer.state_dict(),
        "record": record,
    }
    torch.save(state, path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)


def load_state(path: Path, trained: dict, average: dict, optimizer: torch.optim.Optimizer) -> tuple[int, list]:
    """Take up a kept state in place; gives the next step and the record so far (0 and none without one)."""
    if not path.exists():
        return 0, []
    state = torch.load(path, weights_only=True)
    with torch.no_grad():
        for name in trained:
            trained[name].copy_(state["trained"][name])
            average[name].copy_(state["average"][name])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"], state["record"]
