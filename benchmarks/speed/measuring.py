"""Timing side by side: contestants take turns, so that a machine that slows down slows all of them.

A ratio is the median over rounds of the ratios within a round, and stands with its least and greatest.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable

import torch

from finefit.jobs.devices import cpu_has_bfloat16_matrices, uses_bfloat16

Act = Callable[[], object]


def in_turns(contestants: dict[str, Callable[[], Act]], rounds: int, limit: float, device: str) -> dict[str, dict]:
    """Seconds of each contestant per round, their median and spread; on a GPU also its peak memory.

    Each is built and acts once before the rounds: `first_seconds` bears what happens once (compilation, caches), and
    the peak is taken above what the contestants before it hold. One that cannot run is reported with its error and
    left out, so that the others are still measured.

    Args:
        contestants: by name, what builds the contestant and gives its act.
        rounds: how many rounds at most.
        limit: seconds after which no round begins; one always does.
    """
    found: dict[str, dict] = {}
    acts: dict[str, Act] = {}
    for name, build in contestants.items():
        try:
            found[name], acts[name] = first_act(build, device)
        except Exception as error:  # whatever a compiler or a published code raises
            found[name] = {"failed": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(f"  {name}: {found[name]}", flush=True)
    start = time.perf_counter()
    for turn in range(rounds):
        if turn and time.perf_counter() - start > limit:
            break
        for name, act in acts.items():
            found[name].setdefault("seconds", []).append(seconds(act, device))
    for name in acts:
        found[name] |= spread(found[name]["seconds"])
    return found


def first_act(build: Callable[[], Act], device: str) -> tuple[dict, Act]:
    """Build a contestant and let it act once: what that took, and the act."""
    held = 0
    if device == "cuda":
        held = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
    act = build()
    found = {"first_seconds": seconds(act, device)}
    if device == "cuda":
        found["peak_gb"] = (torch.cuda.max_memory_allocated() - held) / 1e9
    return found, act


def seconds(act: Act, device: str) -> float:
    """Wall time of `act`, the device's queue included; from the moment that it gives, if it gives one."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    given = act()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - (given if isinstance(given, float) else start)


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {"median": statistics.median(values), "least": min(values), "greatest": max(values)}


def ratio(slow: dict, fast: dict) -> dict[str, float] | None:
    """How many times as fast `fast` is as `slow`, round by round; None where either did not run."""
    if "failed" in slow or "failed" in fast:
        return None
    return spread([a / b for a, b in zip(slow["seconds"], fast["seconds"], strict=True)])


def matrix_rate(device: str) -> dict[str, str | float]:
    """Operations per second of a large matrix product in the precision of the fast path; the best of six."""
    side = 8192 if device == "cuda" else 1024
    kind = torch.bfloat16 if uses_bfloat16("auto", device) else torch.float32
    a = torch.randn(side, side, device=device, dtype=kind)
    rate = max(2 * side**3 / seconds(lambda: a @ a, device) for _ in range(6))
    return {"precision": str(kind).removeprefix("torch."), "side": side, "operations_per_second": rate}


def machine(device: str) -> dict[str, str | int]:
    """What the times depend on: kind of machine, the GPU or what matters of a CPU, and versions."""
    if device == "cuda":
        found = {"kind": "gpu", "gpu": torch.cuda.get_device_name()}
    else:
        found = {"kind": "CPU with bfloat16 units" if cpu_has_bfloat16_matrices() else "CPU"}
        found |= {"threads": torch.get_num_threads(), "instructions": torch.backends.cpu.get_cpu_capability()}
    return found | {"python": platform.python_version(), "torch": torch.__version__}
