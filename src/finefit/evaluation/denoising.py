"""Held-out denoising loss: how well a network predicts what it is to predict in test pictures it was not trained on.

The loss that training minimises by the network's process, on latents of test pictures. Every picture is noised at the
same fixed steps of the schedule with the same fixed noise for every network, so that chance of steps and noise cancels
from the difference of two networks. Losses by two processes are no more alike than what their networks predict. It
needs no sampling and no judge: it says nothing of pictures by itself. The base's own value, at its null row, is what a
network has to improve on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from finefit import codecs, processes
from finefit.deltas.delta import load_run
from finefit.deltas.network import unconditional, with_own_classes
from finefit.evaluation.drift import drift
from finefit.hierarchy.index import read_index, read_pictures
from finefit.jobs.devices import device_here, uses_bfloat16
from finefit.jobs.finite import require_finite
from finefit.jobs.job import Job
from finefit.jobs.parts import timed
from finefit.models.dit import DiT
from finefit.models.shapes import Shape
from finefit.processes import STEPS, Process

BANDS = 10  # equal parts of the training schedule that the loss is told for
Network = Callable[[Tensor, Tensor, Tensor], Tensor]  # noised latents, times, labels; gives a network's output
USUAL = processes.find(processes.DEFAULT)


def build(job: Job, out: Path, scratch: Path) -> None:
    """The loss of one run, or of the base: `denoising.csv` by class and band of timesteps, `denoising.json` the mean.

    Every class counts the same, and so does every timestep. A base that was trained without a null row has none. Where
    `drift_pictures` are asked for, the file holds the run's `drift` as well.
    """
    settings, device = job.settings, device_here()
    run = job.inputs.get("run")
    encoding = (run or job).inputs["latents"]
    latents, labels = held_out_latents(encoding, settings["denoising_per_class"], device)
    model = load_run(run) if run else base_alone(job.inputs["base"], *latents.shape[1:3])
    if model is None:
        (out / "denoising.json").write_text(json.dumps({"denoising_loss": None}) + "\n")
        return
    model.requires_grad_(False).to(device).eval()
    rows = labels.to(device) if run else torch.zeros_like(labels, device=device)
    precision = run.settings["train"]["precision"] if run else "auto"
    timesteps = fixed_timesteps(settings["denoising_timesteps"])
    process = processes.of(run.settings["network"] if run else job.inputs["base"].settings)
    with torch.autocast(device, torch.bfloat16, enabled=uses_bfloat16(precision, device)):
        losses = denoising_losses(model, latents.to(device), rows, timesteps, process=process)
        moved = drift_of(job, model, device, process)
    require_finite("denoising losses", losses)
    table = by_class_and_band(losses, labels.numpy(), timesteps, BANDS)
    table.to_csv(out / "denoising.csv", index=False)
    mean = pd.Series(losses.mean(1)).groupby(labels.numpy()).mean().mean()
    (out / "denoising.json").write_text(json.dumps({"denoising_loss": float(mean)} | moved) + "\n")


def drift_of(job: Job, model: DiT, device: str, process: Process) -> dict[str, float]:
    """The `drift` of a job's run, where the job asks for it."""
    pictures = job.settings.get("drift_pictures")
    if not pictures:
        return {}
    base = job.inputs["run"].inputs["base"]
    file, null = base.path / "base.safetensors", base.settings.get("null_row", "last")
    own = with_own_classes(file, model.shape, null).requires_grad_(False).to(device)
    found = drift(model, own, pictures, job.settings["denoising_timesteps"], process=process)
    require_finite("drift", torch.tensor(found))
    return {"drift": found}


def base_alone(base: Job, channels: int, side: int) -> DiT | None:
    """The base at its null row, for latents of so many channels and that side; None where it has no null row."""
    shape = Shape(base.settings["size"], base.settings["patch"], side, channels)
    return unconditional(base.path / "base.safetensors", shape, base.settings.get("null_row", "last"))


def held_out_latents(encoding: Job, per_class: int, device: str) -> tuple[Tensor, Tensor]:
    """Latents `[n, c, h, w]` (posterior means) and class ids of the first `per_class` test pictures of each class.

    Args:
        encoding: the "latents" job that training read; its codec and resolution are used here.
    """
    rows = read_index(encoding.inputs["data"], "test").groupby("class_id", sort=True).head(per_class)
    codec = codecs.load(encoding.settings["codec"]).to(device)
    read = partial(read_pictures, encoding.inputs["data"], resolution=encoding.settings["resolution"])
    parts = [rows.iloc[first : first + 64] for first in range(0, len(rows), 64)]
    means = [codec.encode(torch.from_numpy(read(part)).to(device))[0].float().cpu() for part in parts]
    return torch.cat(means), torch.tensor(rows["class_id"].to_numpy(copy=True))


def fixed_timesteps(count: int) -> np.ndarray:
    """`[count]` timesteps, the middles of as many equal parts of the training schedule."""
    return ((np.arange(count) + 0.5) * STEPS / count).astype(np.int64)


def fixed_noise(shape: tuple[int, ...], timestep: int, seed: int) -> Tensor:
    """The noise of a timestep for all pictures, `shape` = `[n, c, h, w]`: a function of the arguments alone."""
    state = np.random.SeedSequence([seed, timestep]).generate_state(1, np.uint64)[0]
    return torch.randn(shape, generator=torch.Generator().manual_seed(int(state >> 1)))


@torch.no_grad()
def denoising_losses(
    network: Network,
    latents: Tensor,
    labels: Tensor,
    timesteps: np.ndarray,
    seed: int = 0,
    batch_size: int = 64,
    process: Process = USUAL,
) -> np.ndarray:
    """The process's loss of every picture at every step of the schedule, `[n, timesteps]`.

    Args:
        network: takes noised latents, times `[n]` and labels `[n]`, on the device of `latents`.
        latents: `[n, c, h, w]` of test pictures, as training sees them.
        labels: `[n]`, each picture's class.
        timesteps: see `fixed_timesteps`.
    """
    columns = []
    for timestep in timesteps.tolist():
        noise, parts = fixed_noise(tuple(latents.shape), timestep, seed), []
        for x0, part, label in zip(*(all_.split(batch_size) for all_ in (latents, noise, labels)), strict=True):
            part, t = part.to(x0), torch.full((len(x0),), process.time(timestep), device=x0.device)
            noised, target = process.noised(x0, t, part), process.target(x0, part)
            with timed("denoising passes", len(x0)):
                parts.append(process.loss(network(noised, t, label).float(), x0, noised, t, target).double().cpu())
        columns.append(torch.cat(parts).numpy())
    return np.stack(columns, axis=1)


def by_class_and_band(losses: np.ndarray, labels: np.ndarray, timesteps: np.ndarray, bands: int) -> pd.DataFrame:
    """Mean losses with a row per class and band of timesteps: `class_id`, `from`, `to` (inclusive), `pictures`, `loss`.

    Args:
        losses: `[n, timesteps]`, see `denoising_losses`.
        labels: `[n]`.
        bands: equal parts of the training schedule; one without a timestep has no rows.
    """
    edges = np.linspace(0, STEPS, bands + 1).round().astype(int)
    tables = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (low <= timesteps) & (timesteps < high)
        if inside.any():
            grouped = pd.Series(losses[:, inside].mean(1)).groupby(labels)
            table = pd.DataFrame({"from": low, "to": high - 1, "pictures": grouped.size(), "loss": grouped.mean()})
            tables.append(table.rename_axis("class_id").reset_index())
    return pd.concat(tables, ignore_index=True)
