"""Seconds of a training step, peak memory and bytes to store, of each method on Stable Diffusion 1.5's UNet.

Random weights, one latent of 4 x 32 x 32 (256 pixels, as the machine's memory asks), float32, AdamW, one thread. A
process for each method, since peak memory is the process's; the second step is timed, the first also allocates. Seconds
are the processor's, not the clock's, since others used the machine.

    python -m benchmarks.speed.unets            # all; or one: python -m benchmarks.speed.unets difffit
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "results/unets.json"


def measured(method: str) -> dict[str, float]:
    """One method's numbers, in this process."""
    import torch
    import yaml

    from finefit.jobs.machine import processor
    from finefit.unets import methods, parts

    fact = yaml.safe_load(parts.PUBLISHED.read_text(encoding="utf-8"))["networks"]["unet"]
    torch.manual_seed(0)
    with torch.random.fork_rng():
        unet = parts.build(fact["class"], fact["config"]).to_empty(device="cpu")
    for value in unet.parameters():
        value.data.normal_(std=0.02)
    methods.attach(unet, method)
    trained = methods.trained(unet)
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-6, weight_decay=0.0)
    seconds = []
    for _ in range(2):
        start = time.process_time()
        given = torch.randn(1, 4, 32, 32), torch.tensor([500])
        unet(*given, encoder_hidden_states=torch.randn(1, 77, 768)).sample.pow(2).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(round(time.process_time() - start, 1))
    count = sum(value.numel() for value in trained.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "trained_parameters": count,
        "delta_megabytes": round(4 * count / 1e6, 2),
        "step_processor_seconds": seconds[1],
        "peak_gigabytes": round(peak / 1e9, 2),
        "processor": processor(),
    }


def main() -> None:
    """Measure one method, or all, each in a process of its own, and keep what they gave."""
    if sys.argv[1:]:
        print(json.dumps(measured(sys.argv[1])))
        return
    found = {}
    for method in ("difffit", "full", "bitfit", "lora"):
        told = subprocess.run(
            [sys.executable, __file__, method],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found[method] = json.loads(told.stdout.splitlines()[-1])
        print(method, found[method], flush=True)
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
