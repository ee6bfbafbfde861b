"""What fewer passes over memory (`finefit.models.passes`) gain a training step, beside autograd's own operators.

    python -m benchmarks.speed.passes --json passes-mini.json                    # mini's step
    python -m benchmarks.speed.passes --model DiT-S/2 --latent 32 --batch 8 --steps 2 --json passes-s.json

Both train in one process, in turns; told are the processor's seconds of a step, and the ratio of two turns of one
round. Before that both take `--checked` steps from one start: all weights, moments and averages, and every loss, have
to be the same to the bit.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from torch import Tensor

import finefit.training.train
from benchmarks.speed import methods, ours
from benchmarks.speed.measuring import machine, ratio, spread
from benchmarks.speed.plain import autograds_own
from finefit.cli import keep_freed_memory
from finefit.jobs.machine import processor
from finefit.training.optimizer import Optimizer


def trained(method: str, given: argparse.Namespace, steps: int, precision: str) -> list[Tensor]:
    """Everything that so many steps leave, in one order: weights, averages, moments, and the loss of every step."""
    kept: list[Tensor] = []
    finish = Optimizer.finish

    def finished(optimizer: Optimizer) -> None:
        finish(optimizer)
        kept.extend(tensors(optimizer.state_dict()))

    torch.manual_seed(0)
    model = ours.built(method, given, methods.CLASSES)
    every, finefit.training.train.STEPS_PER_RECORD = finefit.training.train.STEPS_PER_RECORD, 1
    Optimizer.finish = finished
    try:
        _, losses = ours.training(model, method, given, precision)(steps)
    finally:
        Optimizer.finish, finefit.training.train.STEPS_PER_RECORD = finish, every
    return [*kept, torch.tensor(losses, dtype=torch.float64)]


def tensors(state: object) -> Iterator[Tensor]:
    """Every tensor of a nested state, in its order."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for part in state.values() if isinstance(state, dict) else state:
            yield from tensors(part)


def same(method: str, given: argparse.Namespace, steps: int, precision: str = "auto") -> bool:
    """Whether so many steps leave the same bits by both forms."""
    found = trained(method, given, steps, precision)
    with autograds_own():
        expected = trained(method, given, steps, precision)
    return len(found) == len(expected) and all(map(torch.equal, found, expected))


def measured(method: str, given: argparse.Namespace) -> dict:
    """Seconds of a step by both forms, round by round."""
    model = ours.built(method, given, methods.CLASSES)
    act = ours.training(model, method, given, clock=time.process_time)
    act(given.steps)
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(given.rounds):
        with autograds_own():
            began = ours.began(act, given.steps)
            seconds["plain"].append((time.process_time() - began) / given.steps)
        began = ours.began(act, given.steps)
        seconds["ours"].append((time.process_time() - began) / given.steps)
    times = {name: {"seconds": taken} | spread(taken) for name, taken in seconds.items()}
    return {"times": times, "plain over ours": ratio(times["plain"], times["ours"])}


def main() -> None:
    """Check, measure, print, and with --json write."""
    given = methods.arguments(__doc__, checked=50)
    keep_freed_memory()
    found: dict = {"machine": machine("cpu") | {"processor": processor()}, "settings": methods.settings(given)}
    for method in methods.PROFILED:
        found[method] = {"same bits": same(method, given, given.checked)} if given.checked else {}
        found[method] |= measured(method, given)
        print(method, found[method].get("same bits"), found[method]["plain over ours"], flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
