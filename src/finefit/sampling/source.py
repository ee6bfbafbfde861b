"""Kind "source": latents of pictures that the untouched base draws with no class asked for.

An objective that keeps what the base knows trains on them: drawn once, they serve every run on that base.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from finefit import processes
from finefit.codecs import CODECS
from finefit.deltas.network import unconditional
from finefit.jobs import ranks
from finefit.jobs.devices import device_here
from finefit.jobs.finite import require_finite
from finefit.models.shapes import Shape
from finefit.sampling.batches import batches_of, join, keep_batches
from finefit.sampling.networks import frozen
from finefit.sampling.sample import sample

if TYPE_CHECKING:
    from finefit.jobs.job import Job

BATCH = 64
UNGUIDED = {"guidance": "none", "scale": 1.0, "guided_channels": 3, "guidance_interval": (0, 999)}


def build(job: Job, out: Path, scratch: Path) -> None:
    """Draw `pictures` of them: `latents.npy`, float16 `[pictures, c, h, w]`."""
    ranks.launch(draw_batches, ranks.wanted(), job, scratch)
    join(scratch, "latents", out)


def draw_batches(job: Job, scratch: Path) -> None:
    """Draw the batches that are not yet in `scratch`; see `keep_batches`.

    Raises:
        ToBeContinued: the job was told to stop; finished batches are kept.
        ValueError: the base was trained without a null row, or latents are not finite.
    """
    settings, base, device = job.settings, job.inputs["base"], device_here()
    facts = CODECS[settings["codec"]["name"]]
    side = settings["resolution"] // facts.factor
    shape = Shape(base.settings["size"], base.settings["patch"], side, facts.channels)
    model = unconditional(base.path / "base.safetensors", shape, base.settings.get("null_row", "last"))
    if model is None:
        raise ValueError(f"{base.path}: was trained without a null row and draws nothing without a class")
    model = frozen(model, "auto", device)
    sampler = processes.few_steps(processes.of(base.settings))
    how = UNGUIDED | {"seed": 0, "sampler": sampler, "steps": settings["steps"]} | processes.told(base.settings)

    def latents(labels: Tensor, numbers: Tensor, which: int) -> dict[str, np.ndarray]:
        drawn = sample(model, labels, numbers, how, "auto", device)
        require_finite(f"latents that the base gave in batch {which}", drawn)
        return {"latents": drawn.half().cpu().numpy()}

    keep_batches(batches_of(torch.zeros(1, dtype=torch.int64), settings["pictures"], BATCH), latents, scratch)
