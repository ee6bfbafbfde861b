"""Attention and GELU in bfloat16 on a CPU: torch's kernels beside ours, in processor time, one thread.

    python -m benchmarks.speed.operators --json benchmarks/results/operators-cpu-avx512-bf16.json

Five minutes at most. Contestants take turns; a row holds the least milliseconds of each, which other work on the
machine disturbs least.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.speed.measuring import machine
from finefit.cli import keep_freed_memory
from finefit.models.dit import attend
from finefit.models.gelu import gelu
from finefit.models.passes import split

# (pictures, heads, tokens, channels of a head): mini's step, its guided sampling, DiT-S/2, XL/2, XL/2 at 512 pixels
ATTENTION = [(24, 6, 64, 32), (128, 6, 64, 32), (16, 6, 256, 64), (4, 16, 256, 72), (1, 16, 1024, 72)]
GELU = [(24, 64, 768), (16, 256, 1536)]  # hidden layers of mini's and S/2's step
ROUNDS = 6


def fused(qkv: Tensor, heads: int, kind: torch.dtype) -> Tensor:
    """torch's fused kernel in a precision, of what the network has: `[n, tokens, 3 * dim]` to `[n, tokens, dim]`."""
    out = F.scaled_dot_product_attention(*(part.to(kind) for part in split(qkv, heads))).to(qkv.dtype)
    return out.transpose(1, 2).reshape(*qkv.shape[:2], -1)


def passes(function: Callable[..., Tensor], inputs: list[Tensor]) -> dict[str, Callable[[], object]]:
    """The forward pass alone, and both."""
    gradient = torch.randn_like(function(*inputs))
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    return {
        "forward": torch.inference_mode()(lambda: function(*inputs)),
        "both": lambda: torch.autograd.grad(function(*leaves), leaves, gradient),
    }


def least(contestants: dict[str, Callable[..., Tensor]], inputs: list[Tensor]) -> dict[str, float]:
    """Milliseconds of every contestant's passes, the least of some rounds."""
    acts = {f"{name}, {way}": act for name, f in contestants.items() for way, act in passes(f, inputs).items()}
    found = dict.fromkeys(acts, float("inf"))
    for _ in range(ROUNDS):
        for name, act in acts.items():
            start = time.process_time()
            act()
            found[name] = min(found[name], 1000 * (time.process_time() - start))
    return found


def main() -> None:
    """Print a row for each shape and, with --json, write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.manual_seed(0)
    keep_freed_memory()
    kernels = {"torch": lambda x: F.gelu(x, approximate="tanh"), "ours": gelu}
    found: dict = {"machine": machine("cpu"), "attention": [], "gelu": []}
    for shape in ATTENTION:
        n, heads, tokens, dim = shape
        attention = {
            "fused in float32": partial(fused, heads=heads, kind=torch.float32),
            "fused": partial(fused, heads=heads, kind=torch.bfloat16),
            "ours": partial(attend, heads=heads),
        }
        qkv = torch.randn(n, tokens, 3 * heads * dim).bfloat16()
        found["attention"].append({"shape": shape, "milliseconds": least(attention, [qkv])})
        print(found["attention"][-1], flush=True)
    for shape in GELU:
        found["gelu"].append({"shape": shape, "milliseconds": least(kernels, [torch.randn(shape).bfloat16()])})
        print(found["gelu"][-1], flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
