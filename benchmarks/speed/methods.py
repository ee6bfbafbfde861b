"""What a training step of each method costs beside the others', and where its time goes, on a CPU.

    python -m benchmarks.speed.methods --json methods-mini.json                    # mini's step
    python -m benchmarks.speed.methods --model DiT-S/2 --latent 32 --batch 8 --steps 2 --json methods-s.json
    python -m benchmarks.speed.methods --profile --json profile-methods-mini.json

Steps are those of `finefit finetune` with one thread, as jobs have it. Methods take turns in one process; a turn is
told in seconds of the processor, a ratio is that of two turns of one round. A profile is of torch's operators, in
milliseconds of a step, the mean of so many; of three the one that other work disturbed least. With --plain it is that
of autograd's own operators in the place of `finefit.models.passes`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

from benchmarks.speed import ours, profile_step
from benchmarks.speed.measuring import machine, ratio, spread
from benchmarks.speed.plain import autograds_own
from finefit.cli import keep_freed_memory
from finefit.jobs.machine import processor

METHODS = ("full", "bitfit", "difffit", "finediffusion")
PROFILED = ("full", "bitfit", "difffit")
RATIOS = (
    ("difffit", "bitfit"),
    ("full", "difffit"),
    ("full", "finediffusion"),
)  # the first's seconds over the second's
CLASSES = 16  # of mini
TIMES = 3  # that a profile is taken


def main() -> None:
    """Measure, print, and with --json write."""
    given = arguments(__doc__)
    keep_freed_memory()
    found: dict = {"machine": machine("cpu") | {"processor": processor()}, "settings": settings(given)}
    found |= profiles(given) if given.profile else in_turns(given)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def in_turns(given: argparse.Namespace) -> dict:
    """Seconds of a step of every method, round by round, and their ratios."""
    acts = {}
    for method in METHODS:
        model = ours.built(method, given, CLASSES)
        acts[method] = ours.training(model, method, given, clock=time.process_time)
        acts[method](given.steps)
    times: dict[str, dict] = {method: {"seconds": []} for method in METHODS}
    for _ in range(given.rounds):
        for method, act in acts.items():
            began = ours.began(act, given.steps)
            times[method]["seconds"].append((time.process_time() - began) / given.steps)
    for method in METHODS:
        times[method] |= spread(times[method]["seconds"])
        print(method, {key: round(value, 4) for key, value in times[method].items() if key != "seconds"}, flush=True)
    ratios = {f"{slow} over {fast}": ratio(times[slow], times[fast]) for slow, fast in RATIOS}
    print(ratios, flush=True)
    return {"rounds": given.rounds, "times": times, "ratios": ratios}


def profiles(given: argparse.Namespace) -> dict:
    """Where a step's time goes, by method."""
    found = {}
    for method in PROFILED:
        act = partial(ours.training(ours.built(method, given, CLASSES), method, given), given.steps)
        with autograds_own() if given.plain else nullcontext():
            taken = [profile_step.profiled(act, given.steps, "cpu", shown=12) for _ in range(TIMES)]
        found[f"{method} step"] = min(taken, key=lambda one: one["wall_milliseconds"])
        print(profile_step.table(f"{method} step", found[f"{method} step"]), flush=True)
    return found


def settings(given: argparse.Namespace) -> dict:
    """What was measured."""
    return {name: getattr(given, name) for name in ("model", "latent", "batch", "steps")}


def arguments(said: str, checked: int | None = None) -> argparse.Namespace:
    """The command line, and what follows from it; `checked` is the default of that option, where there is one."""
    parser = argparse.ArgumentParser(description=said, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="DiT-Mini/2")
    parser.add_argument("--latent", type=int, default=16, help="side of a latent")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--steps", type=int, default=5, help="steps of a turn, or that a profile is the mean of")
    parser.add_argument("--rounds", type=int, default=20)
    if checked is None:
        parser.add_argument("--profile", action="store_true", help="where the time goes, instead of turns")
        parser.add_argument("--plain", action="store_true", help="profile autograd's own operators")
    else:
        parser.add_argument("--checked", type=int, default=checked, help="steps whose bits are compared first")
    parser.add_argument("--json", type=Path)
    return ours.resolved(parser)


if __name__ == "__main__":
    main()
