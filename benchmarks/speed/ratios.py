"""Training and sampling beside a plain reference step and, given a checkout, the published code: ratios from one run.

    python -m benchmarks.speed.ratios --published FineDiffusion --json speed-h200.json   # on a GPU: DiT-XL/2, batch 64
    python -m benchmarks.speed.ratios --model DiT-S/2 --batch 16 --steps 2 --sampling-steps 10 --sampling-batch 4

Needs torch, numpy and safetensors (and timm for the published code). Contestants take turns. Without a checkout the
baseline is the plain step (float32, TF32 on a GPU; one AdamW over all weights, an average of all weights and a loss
read back at every step) and sampling in float32. Ratios say how many times as fast ours is, unless named otherwise.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))  # the measuring machine need not have installed us

import finefit.training.train
from benchmarks.speed import ours, published
from benchmarks.speed.encoder import encoder
from benchmarks.speed.goals import answers, table
from benchmarks.speed.measuring import Act, in_turns, machine, matrix_rate, ratio
from benchmarks.speed.plain import dense, diffusion_losses, plain
from finefit.jobs.devices import uses_bfloat16
from finefit.models.shapes import Shape

# Forward passes that a step costs in arithmetic: full fine-tuning needs gradients of inputs and of weights, a
# parameter-efficient method (nearly) only those of inputs.
PASSES = {"full": 3.0, "finediffusion": 2.0}


def training(given: argparse.Namespace) -> dict:
    """Seconds per turn of every contestant, and what follows from them."""
    contestants = {f"finefit {method}": partial(our_training, method, given) for method in PASSES}
    contestants["plain finediffusion"] = partial(plain_training, given)
    if given.published:
        contestants["published finediffusion"] = lambda: partial(published.training(given), given.steps)
    contestants["encoder"] = partial(encoding, given)
    times = in_turns(contestants, given.rounds, given.limit, given.device)
    rate, shape = matrix_rate(given.device), Shape(given.size, given.patch, ours.LATENT)
    for name in contestants.keys() - {"encoder"}:
        if "median" in times[name]:
            each = times[name]["images_per_second"] = given.steps * given.batch / times[name]["median"]
            operations = PASSES[name.split()[1]] * shape.forward_operations * each
            times[name]["share_of_matrix_rate"] = operations / rate["operations_per_second"]
    fast, full, baseline = (times[name] for name in ("finefit finediffusion", "finefit full", given.slow_training))
    ratios = {
        "over baseline": ratio(baseline, fast),
        "over baseline that encodes": ratio(encoded(baseline, times["encoder"], given), fast),
        "over plain step": ratio(times["plain finediffusion"], fast),
        "over full fine-tuning": ratio(full, fast),
        "share of the matrix rate": fast.get("share_of_matrix_rate"),
    }
    if "peak_gb" in fast and "peak_gb" in full:
        ratios["peak memory to full fine-tuning's"] = fast["peak_gb"] / full["peak_gb"]
    return {"times": times, "ratios": ratios, "matrix_rate": rate}


def our_training(method: str, given: argparse.Namespace, compiled: bool = False, recompute: bool = False) -> Act:
    """A turn of our training by one method; the network compiled, activations recomputed where asked."""
    model = ours.built(method, given)
    if compiled:
        model.compile()
    return partial(ours.began, ours.training(model, method, given, recompute=recompute), given.steps)


def plain_training(given: argparse.Namespace) -> Act:
    """A turn of plain steps on our network."""
    model = ours.built("finediffusion", given)
    return partial(plain(model, diffusion_losses(model), given), given.steps)


def encoding(given: argparse.Namespace) -> Act:
    """The stand-in encoder on some pictures, in float32 (TF32 on a GPU) as published."""
    with torch.device(given.device):
        network, pictures = encoder().eval(), torch.randn(given.encoded, 3, 8 * ours.LATENT, 8 * ours.LATENT)
    return torch.no_grad()(partial(network, pictures))


def encoded(step: dict, encoder_alone: dict, given: argparse.Namespace) -> dict:
    """A turn's seconds with its pictures encoded, round by round: the encoder's are linear in the pictures' number."""
    if "failed" in step or "failed" in encoder_alone:
        return {"failed": "a part of it failed"}
    times = given.steps * given.batch / given.encoded
    return {"seconds": [a + times * b for a, b in zip(step["seconds"], encoder_alone["seconds"], strict=True)]}


def sampling(given: argparse.Namespace) -> dict:
    """Seconds of one guided batch, all in equal steps; ours also in a tenth of them by DPM-Solver++."""
    steps, tenth = given.sampling_steps, max(2, given.sampling_steps // 10)
    contestants = {
        "finefit": partial(our_sampling, "ancestral", steps, given),
        "finefit in a tenth": partial(our_sampling, "dpmpp", tenth, given),
        "finefit in float32": partial(our_sampling, "ancestral", steps, given, precision="float32"),
    }
    if given.published:
        contestants["published"] = partial(published.sampling, given)
    times = in_turns(contestants, given.rounds, given.limit, given.device)
    baseline = times["published" if given.published else "finefit in float32"]
    ratios = {
        "over baseline": ratio(baseline, times["finefit"]),
        "in a tenth of its steps over baseline": ratio(baseline, times["finefit in a tenth"]),
    }
    return {"times": times, "ratios": ratios}


def our_sampling(
    sampler: str,
    steps: int,
    given: argparse.Namespace,
    precision: str = "auto",
    compiled: bool = False,
    guidance: str = "superclass",
) -> Act:
    """Our sampling of one guided batch; the network compiled where asked."""
    model = ours.built("finediffusion", given, guidance=(guidance,))
    if compiled:
        model.compile()
    return ours.sampling(model, sampler, steps, given, precision, guidance)


def losses(given: argparse.Namespace) -> dict:
    """Every step's loss by the fast path and in float32."""
    if not uses_bfloat16("auto", given.device):
        return {"note": "the fast path of this machine is float32"}
    finefit.training.train.STEPS_PER_RECORD = 1  # the record has means over several steps otherwise
    recorded = []
    for precision in ("auto", "float32"):
        allow_tf32(precision == "auto")
        steps = ours.training(ours.built("finediffusion", given, 100), "finediffusion", given, precision)
        recorded.append(steps(given.loss_steps)[1])
    allow_tf32(True)
    pairs = list(zip(*recorded, strict=True))
    return {"losses": pairs, "ratios": {"largest relative difference": max(abs(a / b - 1) for a, b in pairs)}}


def classes(given: argparse.Namespace) -> dict:
    """How much a step grows from 1,000 to 100,000 classes: ours, and one whose class table is dense."""

    def turn(kind: str, count: int) -> Act:
        model = ours.built("finediffusion", given, count)
        if kind == "dense":
            return partial(dense(model, given), given.steps)
        return partial(ours.began, ours.training(model, "finediffusion", given), given.steps)

    contestants = {f"{kind} {n}": partial(turn, kind, n) for kind in ("finefit", "dense") for n in (1_000, 100_000)}
    times = in_turns(contestants, given.rounds, given.limit, given.device)
    ratios = {
        "100,000 to 1,000": ratio(times["finefit 100000"], times["finefit 1000"]),
        "100,000 to 1,000, dense table": ratio(times["dense 100000"], times["dense 1000"]),
    }
    return {"times": times, "ratios": ratios}


def compiled(given: argparse.Namespace) -> dict:
    """Training and sampling with the network compiled beside the eager one, and the seconds that compiling took."""
    works = {
        "training": partial(our_training, "finediffusion", given),
        "sampling": partial(our_sampling, "dpmpp", max(2, given.sampling_steps // 10), given),
    }
    found = {"times": {}, "ratios": {}}
    for work, contestant in works.items():
        contestants = {"eager": contestant, "compiled": partial(contestant, compiled=True)}
        times = found["times"][work] = in_turns(contestants, given.rounds, given.limit / 2, given.device)
        found["ratios"][f"{work}, over eager"] = ratio(times["eager"], times["compiled"])
        if "median" in times["compiled"]:
            times["compiled"]["compile_seconds"] = times["compiled"]["first_seconds"] - times["compiled"]["median"]
    return found


PARTS = {part.__name__: part for part in (training, sampling, losses, classes, compiled)}


def main() -> None:
    """Measure, print, and with --json write."""
    given = arguments()
    allow_tf32(True)  # as the published code does
    asked = ("model", "batch", "steps", "rounds", "limit", "sampling_steps", "sampling_batch", "loss_steps", "encoded")
    found = {"machine": machine(given.device), "settings": {name: getattr(given, name) for name in asked}}
    found["settings"]["baseline"] = "published" if given.published else "plain"
    for name in given.parts:
        print(name, flush=True)
        start = time.perf_counter()
        found[name] = PARTS[name](given)
        found[name]["took_seconds"] = time.perf_counter() - start
        found["answers"] = answers(found)
        if given.json:  # after every part, so that a run which is cut off loses only the part it was at
            given.json.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found["answers"]))


def allow_tf32(allowed: bool) -> None:
    """Whether a GPU may round float32 factors to ten bits."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed


def arguments() -> argparse.Namespace:
    """The command line, and what follows from it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="DiT-XL/2")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20, help="training steps per turn")
    parser.add_argument("--rounds", type=int, default=5, help="rounds at most")
    parser.add_argument("--limit", type=float, default=40, help="seconds after which a part begins no further round")
    parser.add_argument("--sampling-steps", type=int, default=250)
    parser.add_argument("--sampling-batch", type=int, default=8)
    parser.add_argument("--loss-steps", type=int, default=50)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--published", type=Path, help="checkout of FineDiffusion/FineDiffusion")
    parser.add_argument("--json", type=Path)
    given = ours.resolved(parser)
    given.encoded = given.batch if given.device == "cuda" else 1  # pictures that the encoder takes at once
    given.slow_training = "published finediffusion" if given.published else "plain finediffusion"
    if given.published:
        given.models, given.diffusion = published.load(given.published)
    return given


if __name__ == "__main__":
    main()
