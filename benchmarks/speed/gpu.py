"""What a GPU decides, in one run of at most nine minutes: training, sampling, codec and judge at DiT-XL/2.

    python -m benchmarks.speed.gpu --published FineDiffusion --json benchmarks/results/gpu-h200.json
    python -m benchmarks.speed.gpu --model DiT-Mini/2 --batches 2 4 --latents 8 --sampling-steps 4 2 --minutes 2

Rows come in the order of what is asked first, and the file is written after each, so that a machine which is taken
away leaves what it measured. A row is the median of a few acts after one that is not counted. Training is full
fine-tuning and FineDiffusion, eager, compiled and recomputing; a batch "fits" where no allocation failed (training then
goes on with half as many rows at once). Needs torch, numpy and safetensors; rows of the codec need diffusers and those
of the judge torchvision, and say so where they are missing. Weights are random.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))  # the measuring machine need not have installed us

from benchmarks.speed import ours, published
from benchmarks.speed.measuring import Act, machine, matrix_rate, seconds
from benchmarks.speed.ratios import PASSES, allow_tf32, our_sampling, our_training, plain_training
from finefit.models.shapes import Shape

ACTS, SECONDS_PER_ROW = 3, 12.0  # acts that are counted; no further one begins after so long
COMPILING = 120.0  # seconds that a compiled row may take before its first act
COLUMNS = ["batch", "pictures_per_second", "peak_gb", "share_of_matrix_rate", "first_seconds"]


@dataclass(frozen=True)
class Row:
    """A measurement: what builds it, pictures of an act, and operations of one picture (0 where not counted).

    It does not begin with less than `reserve` seconds left.
    """

    name: str
    batch: int
    build: Callable[[], Act]
    pictures: int
    operations: float = 0.0
    reserve: float = SECONDS_PER_ROW


def training(given: argparse.Namespace) -> Iterator[Row]:
    """Both methods at every batch; the baseline and recomputation at the first."""
    first, *larger = given.batches
    for latent in given.latents:
        scaled = max(1, (latent // given.latents[0]) ** 2)  # four times the tokens, a quarter of the pictures
        sized = with_(given, latent=latent, batch=max(1, first // scaled))
        for method in PASSES:
            yield trained(method, sized)
        if latent == given.latents[0]:
            name = f"{'published' if given.published else 'plain'} step"
            yield trained("finediffusion", sized, name, partial(baseline_training, sized))
        for method in PASSES:
            yield trained(method, sized, "recomputing", partial(our_training, method, sized, recompute=True))
        for batch in larger:
            for method in PASSES:
                yield trained(method, with_(sized, batch=max(1, batch // scaled)))


def trained(method: str, given: argparse.Namespace, how: str = "eager", build: Callable | None = None) -> Row:
    """A row of training."""
    shape = Shape(given.size, given.patch, given.latent)
    name = f"train {method} at {8 * given.latent}, {how}"
    operations = PASSES[method] * shape.forward_operations
    build = build or partial(our_training, method, given)
    return Row(name, given.batch, build, given.steps * given.batch, operations)


def baseline_training(given: argparse.Namespace) -> Act:
    """Some steps of the published training, or plain ones on our network where no checkout is given."""
    if given.published:
        return partial(published.training(given), given.steps)
    return plain_training(given)


def sampling(given: argparse.Namespace) -> Iterator[Row]:
    """Each number of steps, both guidances: the most by ancestral sampling as published, others by DPM-Solver++."""
    sized = with_(given, latent=given.latents[0])
    passes = 2 * Shape(given.size, given.patch, sized.latent).forward_operations
    most = max(given.sampling_steps)
    for steps in sorted(given.sampling_steps):
        for guidance in ("superclass", "null"):
            sampler = "ancestral" if steps == most else "dpmpp"
            build = partial(our_sampling, sampler, steps, sized, guidance=guidance)
            name = f"sample {steps} steps of {sampler}, {guidance}"
            yield Row(name, given.sampling_batch, build, given.sampling_batch, steps * passes)
    if given.published:
        theirs = partial(published.sampling, with_(given, sampling_steps=most))
        yield Row(
            f"sample {most} steps as published", given.sampling_batch, theirs, given.sampling_batch, most * passes
        )


def codec(given: argparse.Namespace) -> Iterator[Row]:
    """The papers' autoencoder both ways, as a study calls it."""

    def build(way: str) -> Act:
        from finefit.codecs import sd_vae

        autoencoder = sd_vae.SDVAE(sd_vae.autoencoder_kind()(**sd_vae.SHAPE).eval()).to(given.device)
        side, count = given.latents[0], given.coded
        if way == "encode":
            pictures = torch.zeros(count, 8 * side, 8 * side, 3, dtype=torch.uint8, device=given.device)
            return partial(autoencoder.encode, pictures)
        return partial(autoencoder.decode, torch.randn(count, 4, side, side, device=given.device))

    for way in ("encode", "decode"):
        yield Row(f"{way} at {8 * given.latents[0]}", given.coded, partial(build, way), given.coded)


def judge(given: argparse.Namespace) -> Iterator[Row]:
    """Inception's features, by the network of torchvision in float32."""

    def build() -> Act:
        from finefit.jobs.torchvision_shim import importable_torchvision

        importable_torchvision()
        from torchvision.models import inception_v3

        network = inception_v3(weights=None, init_weights=False).to(given.device).eval()
        return torch.no_grad()(partial(network, torch.zeros(given.coded, 3, 299, 299, device=given.device)))

    yield Row("Inception features at 299", given.coded, build, given.coded)


def compiled(given: argparse.Namespace) -> Iterator[Row]:
    """Training and sampling with the network compiled, last: each takes a minute or two before its first act."""
    sized = with_(given, latent=given.latents[0], batch=given.batches[0])
    for method in reversed(PASSES):
        row = trained(method, sized, "compiled", partial(our_training, method, sized, compiled=True))
        yield replace(row, reserve=COMPILING)
    least = min(given.sampling_steps)
    build = partial(our_sampling, "dpmpp", least, sized, compiled=True)
    operations = least * 2 * Shape(given.size, given.patch, sized.latent).forward_operations
    name = f"sample {least} steps of dpmpp, superclass, compiled"
    yield Row(name, given.sampling_batch, build, given.sampling_batch, operations, COMPILING)


def with_(given: argparse.Namespace, **values: object) -> argparse.Namespace:
    """The command line with some values of its own."""
    return argparse.Namespace(**vars(given) | values)


def measured(row: Row, device: str, rate: float) -> dict:
    """What a row found: pictures per second and what they cost, or why it could not run."""
    gpu = device == "cuda"
    found: dict = {"row": row.name, "batch": row.batch}
    try:
        held, failures = 0, 0
        if gpu:
            held, failures = torch.cuda.memory_allocated(), torch.cuda.memory_stats()["num_ooms"]
            torch.cuda.reset_peak_memory_stats()
        act = row.build()
        found["first_seconds"] = seconds(act, device)
        start, taken = time.perf_counter(), []
        while not taken or (len(taken) < ACTS and time.perf_counter() - start < SECONDS_PER_ROW):
            taken.append(seconds(act, device))
        found |= {"seconds": taken, "pictures_per_second": row.pictures / statistics.median(taken)}
        if row.operations:
            found["share_of_matrix_rate"] = row.operations * found["pictures_per_second"] / rate
        if gpu:
            found["peak_gb"] = (torch.cuda.max_memory_allocated() - held) / 1e9
            found["fits"] = torch.cuda.memory_stats()["num_ooms"] == failures
    except Exception as error:  # whatever a compiler, a missing package or a full memory raises
        found["failed"] = f"{type(error).__name__}: {error}".splitlines()[0]
    return found


def conclusions(rows: list[dict]) -> dict[str, float]:
    """Ratios that the rows answer; those whose rows did not run are left out.

    "compile pays after" is the number of pictures that earn the seconds of compiling back.
    """
    first = {}
    for row in rows:
        if "pictures_per_second" in row:
            first.setdefault(row["row"], row)
    told = {}
    for name, row in first.items():
        eager = first.get(name.replace("compiled", "eager")) or first.get(name.removesuffix(", compiled"))
        if "compiled" in name and eager is not None:
            fast, slow = row["pictures_per_second"], eager["pictures_per_second"]
            told[f"{name}: over eager"] = fast / slow
            extra = row["first_seconds"] - eager["first_seconds"]
            if fast > slow:
                told[f"{name}: pays after pictures"] = extra / (1 / slow - 1 / fast)
    steps = [row for name, row in first.items() if name.endswith(" step")]
    ours_ = [row for name, row in first.items() if name.startswith("train finediffusion") and name.endswith("eager")]
    if steps and ours_:
        told["training over baseline"] = ours_[0]["pictures_per_second"] / steps[0]["pictures_per_second"]
    theirs = [row for name, row in first.items() if name.endswith("as published")]
    for name, row in first.items():
        if theirs and name.startswith("sample") and row is not theirs[0]:
            told[f"{name}: over published"] = row["pictures_per_second"] / theirs[0]["pictures_per_second"]
    return told


def main() -> None:
    """Measure row by row, print each, and with --json write all after each."""
    given = arguments()
    start = time.perf_counter()
    allow_tf32(True)  # as the published code does
    rate = matrix_rate(given.device)
    asked = ("model", "batches", "latents", "steps", "sampling_steps", "sampling_batch", "coded", "minutes")
    found = {"machine": machine(given.device), "settings": {name: getattr(given, name) for name in asked}}
    found |= {"matrix_rate": rate, "rows": [], "conclusions": {}}
    print(" ".join(f"{column:>22}" for column in COLUMNS))
    for row in [row for part in (training, sampling, codec, judge, compiled) for row in part(given)]:
        late = time.perf_counter() - start > 60 * given.minutes - row.reserve
        one = {"row": row.name, "batch": row.batch, "failed": "no time was left"} if late else None
        found["rows"].append(one or measured(row, given.device, rate["operations_per_second"]))
        gc.collect()
        if given.device == "cuda":
            torch.cuda.empty_cache()
        print(line(found["rows"][-1]), flush=True)
        found["conclusions"] = conclusions(found["rows"])
        if given.json:
            given.json.write_text(json.dumps(found, indent=1) + "\n")
    for name, value in found["conclusions"].items():
        print(f"{name}: {value:.4g}")


def line(row: dict) -> str:
    """A row for a reader."""
    if "failed" in row:
        return f"{row['row']}, batch {row['batch']}: {row['failed']}"
    cells = [f"{row[column]:>22.4g}" if column in row else " " * 22 for column in COLUMNS]
    told = "" if row.get("fits", True) else " (in parts: did not fit)"
    return f"{' '.join(cells)}  {row['row']}{told}"


def arguments() -> argparse.Namespace:
    """The command line, and what follows from it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="DiT-XL/2")
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--latents", type=int, nargs="+", default=[32, 64], help="sides: 32 is 256 pixels, 64 is 512")
    parser.add_argument("--steps", type=int, default=5, help="training steps per act")
    parser.add_argument("--sampling-steps", type=int, nargs="+", default=[250, 50, 25])
    parser.add_argument("--sampling-batch", type=int, default=16)
    parser.add_argument("--coded", type=int, default=32, help="pictures that codec and judge take")
    parser.add_argument("--minutes", type=float, default=9, help="after which no row begins")
    parser.add_argument("--published", type=Path, help="checkout of FineDiffusion/FineDiffusion")
    parser.add_argument("--json", type=Path)
    given = ours.resolved(parser)
    if given.published:
        given.models, given.diffusion = published.load(given.published)
    return given


if __name__ == "__main__":
    main()
