"""Training and sampling beside a plain reference step and, given a checkout, the published code: ratios from one run.

    python benchmarks/speed.py --model DiT-XL/2 --batch 64 --published FineDiffusion --json speed.json   # on a GPU
    python benchmarks/speed.py --model DiT-S/2 --batch 16 --steps 4 --sampling-steps 4                   # on a CPU

Needs torch, numpy and safetensors (and timm for the published code). Contestants take turns, so that a machine that
slows down slows all of them; a ratio is the median over rounds of the ratios within a round. The plain reference does
what the published loop does, in our words: float32 (TF32 on a GPU), one unfused AdamW over all weights, an average of
all weights at every step, and a loss read back at every step.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))  # the measuring machine need not have installed us

from finefit import methods
from finefit.devices import cpu_has_bfloat16_matrices, device_here
from finefit.diffusion import Diffusion
from finefit.finetune import parameter_groups
from finefit.models.dit import DiT
from finefit.models.network import network
from finefit.models.shapes import SIZES, forward_flops
from finefit.sample import sample
from finefit.train import train

LATENT, CLASSES, SUPERCLASSES = 32, 10_000, 11
# Forward passes that a step costs in arithmetic: full fine-tuning needs gradients of inputs and of weights, a
# parameter-efficient method (nearly) only those of inputs.
PASSES = {"full": 3.0, "finediffusion": 2.0}


def run_of(method: str, size: str, patch: int, classes: int = CLASSES) -> dict:
    """A run's description at the size of iNaturalist mini."""
    return {
        "method": method,
        "method_settings": {},
        "network": {"size": size, "patch": patch},
        "seed": 0,
        "num_classes": classes,
        "superclass_of": [number % SUPERCLASSES for number in range(classes)],
        "latent_shape": [4, LATENT, LATENT],
    }


class Latents:
    """A pack of noise in memory, as fast as a pack can be."""

    def __init__(self, count: int, classes: int):
        generator = torch.Generator().manual_seed(0)
        self.count, self.shape = count, (4, LATENT, LATENT)
        self.labels = torch.randint(classes, (count,), generator=generator)
        self.values = torch.randn(count, *self.shape, generator=generator)

    def sample(self, rows, flips, noise: Tensor) -> Tensor:
        """Latents of the given rows."""
        return self.values[rows]


def trains(run: dict, given: argparse.Namespace, precision: str = "auto") -> Callable[[int], list[float]]:
    """Our training: a function that runs some steps and gives the recorded losses."""
    model = network(run, None).to(given.device)
    pack = Latents(4 * given.batch, run["num_classes"])
    references = methods.find(run["method"]).Settings().guidance

    def steps(count: int) -> list[float]:
        settings = SimpleNamespace(
            steps=count, batch_size=given.batch, schedule="constant", warmup_steps=0, weight_decay=0.0,
            label_dropout=0.1, ema_decay=0.9999, flip=True, precision=precision,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            groups = parameter_groups(model, 1e-4, {})
            _, record = train(model, groups, pack, settings, references, 0, Path(folder) / "state", given.device)
        return [row["loss"] for row in record]

    return steps


def trains_plainly(
    model: torch.nn.Module, forward: Callable, given: argparse.Namespace
) -> Callable[[int], list[float]]:
    """The reference: `forward(x0, t, labels, noise)` gives the losses; everything else is as plain as it gets."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0, fused=False)
    average = {name: value.detach().clone() for name, value in model.named_parameters()}
    pack = Latents(4 * given.batch, CLASSES)

    def steps(count: int) -> list[float]:
        losses = []
        for step in range(count):
            rows = torch.arange(given.batch) + step % 3 * given.batch
            x0, labels = pack.values[rows].to(given.device), pack.labels[rows].to(given.device)
            t = torch.randint(0, 1000, (given.batch,), device=given.device)
            loss = forward(x0, t, labels, torch.randn_like(x0)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for name, value in model.named_parameters():
                    average[name].mul_(0.9999).add_(value, alpha=1e-4)
            losses.append(loss.item())
        return losses

    return steps


def plain_forward(model: DiT) -> Callable[..., Tensor]:
    """Our network in float32 under the reference step."""
    diffusion = Diffusion()

    def forward(x0: Tensor, t: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
        noised = diffusion.noised(x0, t, noise)
        return diffusion.loss(model(noised, t, labels), x0, noised, t, noise)

    return forward


def seconds(act: Callable[[], object], device: str) -> float:
    """Wall time of `act`, the device's queue included."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    act()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def in_turns(contestants: dict[str, Callable[[], object]], rounds: int, device: str) -> dict[str, dict]:
    """Seconds of each contestant per round (one warm-up round apart), their median, and peak memory on a GPU."""
    times: dict[str, dict] = {}
    for turn in range(rounds + 1):
        for name, act in contestants.items():
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            taken = seconds(act, device)
            found = times.setdefault(name, {"seconds": []})
            if turn:
                found["seconds"].append(taken)
            if device == "cuda":
                found["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
    for found in times.values():
        found["median"] = statistics.median(found["seconds"])
    return times


def ratio(times: dict[str, dict], slow: str, fast: str) -> float:
    """How many times as fast `fast` is as `slow`: the median over rounds."""
    pairs = zip(times[slow]["seconds"], times[fast]["seconds"], strict=True)
    return statistics.median(a / b for a, b in pairs)


def matrix_rate(device: str) -> float:
    """Operations per second of a large matrix product, bfloat16 on a GPU, float32 on a CPU; the best of five."""
    side, kind = (8192, torch.bfloat16) if device == "cuda" else (1024, torch.float32)
    a = torch.randn(side, side, device=device, dtype=kind)
    return max(2 * side**3 / seconds(lambda: a @ a, device) for _ in range(6))


def training(given: argparse.Namespace) -> dict:
    """Seconds per step of every contestant, and what follows from them."""
    runs = {method: run_of(method, given.size, given.patch) for method in PASSES}
    contestants = {f"finefit {method}": trains(run, given) for method, run in runs.items()}
    plain = network(runs["finediffusion"], None).to(given.device)
    contestants["plain finediffusion"] = trains_plainly(plain, plain_forward(plain), given)
    if given.published:
        contestants["published finediffusion"] = published_training(given)
    times = in_turns({n: lambda c=c: c(given.steps) for n, c in contestants.items()}, given.rounds, given.device)
    rate, operations = matrix_rate(given.device), forward_flops(given.size, given.patch, LATENT)
    for name, found in times.items():
        found["images_per_second"] = given.steps * given.batch / found["median"]
        method = name.split()[1]
        found["share_of_matrix_rate"] = PASSES[method] * operations * found["images_per_second"] / rate
    others = [name for name in times if name != "finefit finediffusion"]
    ratios = {f"over {name}": ratio(times, name, "finefit finediffusion") for name in others}
    return {"times": times, "finefit finediffusion": ratios, "matrix_rate": rate}


def sampling(given: argparse.Namespace) -> dict:
    """Seconds for one guided batch: ours at the published number of steps and at 25 of DPM-Solver++."""
    model = network(run_of("finediffusion", given.size, given.patch), None).to(given.device)
    labels = torch.arange(given.sampling_batch)
    common = {"seed": 0, "guidance": "superclass", "scale": 4.0, "guided_channels": 3, "guidance_interval": (0, 999)}

    def ours(sampler: str, steps: int) -> Callable[[], Tensor]:
        settings = common | {"sampler": sampler, "steps": steps}
        return lambda: sample(model, labels, labels, settings, "auto", given.device)

    contestants = {"finefit ancestral": ours("ancestral", given.sampling_steps)}
    contestants["finefit dpmpp"] = ours("dpmpp", max(2, given.sampling_steps // 10))
    if given.published:
        contestants["published"] = published_sampling(given)
    times = in_turns(contestants, 1 if given.device == "cuda" else given.rounds, given.device)
    slow = "published" if given.published else "finefit ancestral"
    return {"times": times, "ratios": {f"{name} over {slow}": ratio(times, slow, name) for name in times}}


def agreement(given: argparse.Namespace) -> dict:
    """Largest relative difference of recorded losses between the fast path and float32."""
    run, steps = run_of("finediffusion", given.size, given.patch, classes=100), max(20, given.loss_steps)
    fast, exact = (trains(run, given, precision)(steps) for precision in ("auto", "float32"))
    return {"steps": steps, "difference": max(abs(a / b - 1) for a, b in zip(fast, exact, strict=True))}


def class_counts(given: argparse.Namespace) -> dict:
    """How much a step grows from 1,000 to 100,000 classes."""
    contestants = {
        f"{classes} classes": trains(run_of("finediffusion", given.size, given.patch, classes), given)
        for classes in (1_000, 100_000)
    }
    times = in_turns({n: lambda c=c: c(given.steps) for n, c in contestants.items()}, given.rounds, given.device)
    return {"times": times, "growth": ratio(times, "100000 classes", "1000 classes")}


def published_training(given: argparse.Namespace) -> Callable[[int], list[float]]:
    """The published network and loss under the published kind of step."""
    model, diffusion = published_network(given), given.code.diffusion.create_diffusion("")

    def forward(x0: Tensor, t: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
        return diffusion.training_losses(model, x0, t, {"y": labels}, noise=noise)["loss"]

    for name, value in model.named_parameters():
        value.requires_grad_("y_embedder" in name or "bias" in name or "norm" in name)
    return trains_plainly(model.train(), forward, given)


def published_sampling(given: argparse.Namespace) -> Callable[[], Tensor]:
    """The published sampler at the same number of steps."""
    model, n = published_network(given).eval(), given.sampling_batch
    diffusion = given.code.diffusion.create_diffusion(str(given.sampling_steps))
    labels = torch.arange(n, device=given.device)
    settings = {"y": torch.cat([labels, labels % SUPERCLASSES + CLASSES]), "cfg_scale": 4.0}

    @torch.no_grad()
    def act() -> Tensor:
        start = torch.randn(2 * n, 4, LATENT, LATENT, device=given.device)
        return diffusion.p_sample_loop(
            model.forward_with_cfg, start.shape, start, clip_denoised=False, model_kwargs=settings, device=given.device
        )

    return act


def published_network(given: argparse.Namespace) -> torch.nn.Module:
    """FineDiffusion's own network of the measured size."""
    build = given.code.models.DiT_models[f"DiT-{given.size}/{given.patch}"]
    return build(input_size=LATENT, num_classes=CLASSES, num_super_classes=SUPERCLASSES).to(given.device)


def main() -> None:
    """Measure, print, and with --json write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="DiT-XL/2")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10, help="training steps per turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sampling-steps", type=int, default=250)
    parser.add_argument("--sampling-batch", type=int, default=8)
    parser.add_argument("--loss-steps", type=int, default=50)
    parser.add_argument("--published", type=Path, help="checkout of FineDiffusion/FineDiffusion")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    given.device = device_here()
    given.size, _, patch = given.model.removeprefix("DiT-").partition("/")
    given.patch = int(patch)
    if given.size not in SIZES:
        parser.error(f"--model {given.model}: sizes are {', '.join(SIZES)}")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    if given.published:
        from exactness import published

        given.code = SimpleNamespace(**dict(zip(("models", "diffusion"), published(given.published), strict=True)))
    found = {
        "hardware": torch.cuda.get_device_name() if given.device == "cuda" else cpu(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "settings": {key: str(value) for key, value in vars(given).items() if key != "code"},
    }
    for part in (training, sampling, agreement, class_counts):
        found[part.__name__] = part(given)
        print(part.__name__, json.dumps(found[part.__name__], indent=1), flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def cpu() -> str:
    """What matters of a CPU here: threads used, and whether it multiplies bfloat16."""
    units = "with" if cpu_has_bfloat16_matrices() else "without"
    return f"{torch.get_num_threads()} CPU threads {units} bfloat16 matrix units"


if __name__ == "__main__":
    main()
