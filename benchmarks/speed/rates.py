"""Rows of data/rates.csv for this machine: `python -m benchmarks.speed.rates NAME`, on an idle machine; about a minute.

Network rates are of the smallest network that fills the device: the shipped Mini on a CPU (one thread), XL/2 on a GPU.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

os.environ["OMP_NUM_THREADS"] = "1"

import torch

from finefit.datasets import embedded
from finefit.jobs.devices import uses_bfloat16
from finefit.metrics.probe import Probe, in_batches
from finefit.models.dit import DiT
from finefit.models.embedders import LabelEmbedder
from finefit.models.shapes import Shape

REPEATS = 5


def seconds(work: Callable[[], object]) -> tuple[float, float, float]:
    """Median, least and greatest seconds of a piece of work, after one unmeasured."""
    taken = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    ordered = sorted(taken[1:])
    return ordered[REPEATS // 2], ordered[0], ordered[-1]


def row(hardware: str, work: str, unit: str, amount: float, function: Callable[[], object], how: str) -> None:
    """Print one row of the table."""
    middle, least, greatest = seconds(function)
    rates = [f"{amount / taken:.3g}" for taken in (middle, greatest, least)]
    print(",".join([hardware, work, unit, *rates, "measured", how]))


def main(hardware: str) -> None:
    """Measure training, sampling, drawing and judging."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    size, latent, batch = ("XL", 32, 32) if device == "cuda" else ("Mini", 16, 64)
    shape = Shape(size, 2, latent)
    model = DiT(shape, LabelEmbedder(10, shape.width, None, null=True)).to(device)
    x = torch.randn(batch, 4, latent, latent, device=device)
    t, rows = torch.randint(1000, (batch,), device=device), torch.zeros(batch, dtype=torch.long, device=device)

    def forward() -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=uses_bfloat16("auto", device)):
            return model(x, t, rows)

    flops, what = batch * shape.forward_operations, f"DiT-{size}/2 at batch {batch}"
    row(hardware, "train", "FLOP/s", 3 * flops, lambda: forward().float().square().mean().backward(), what)
    with torch.inference_mode():
        row(hardware, "sample", "FLOP/s", flops, forward, f"{what}; forward alone")
        pictures = torch.randint(256, (64, 32, 32, 3), dtype=torch.uint8)
        probe = Probe(16, 32).eval()
        row(hardware, "judge", "pixels/s", 64 * 32 * 32, lambda: in_batches(probe.features, pictures), "the probe")
    settings = embedded.Settings(train_per_class=2)
    table = embedded.index(settings, None).head(32)
    row(hardware, "read", "pictures/s", 32, lambda: embedded.read(table, 32, settings, None), "32-pixel drawings")


if __name__ == "__main__":
    main(*sys.argv[1:])
