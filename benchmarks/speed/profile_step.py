"""Where the time of a training step and of a guided sampling step goes, in a table that a person understands.

    python -m benchmarks.speed.profile_step --json profile-h200.json                     # on a GPU: DiT-XL/2, batch 64
    python -m benchmarks.speed.profile_step --model DiT-S/2 --batch 16 --json profile.json  # on a CPU

Needs torch, numpy and safetensors. On a GPU seconds are the kernels', and "nothing" is wall time in which none ran; on
a CPU they are the operators' own, and "nothing" is the interpreter between them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))  # the measuring machine need not have installed us

from benchmarks.speed import ours
from benchmarks.speed.measuring import Act, machine, seconds

# By words in an operator's name. A group that is a whole region owns what runs inside it, whatever that is; any other
# operator belongs to the first group that names it.
REGIONS = {
    "optimizer": ("Optimizer.step", "fused_adam"),
    "average of weights": ("_foreach_lerp",),
    "attention": ("scaled_dot_product", "ScaledDotProduct"),
}
GROUPS = {
    "matrix products": ("::mm", "::addmm", "::bmm", "::matmul", "::linear", "convolution"),
    "norms": ("layer_norm",),
    "data": ("rand", "normal_", "uniform_", "random_", "HtoD", "aten::index"),
    "elementwise": (
        "::add", "::sub", "::mul", "::div", "::neg", "::exp", "::pow", "::sum", "::mean", "::gelu", "::silu",
        "::copy_", "::_to_copy", "::cat", "::stack", "::where", "::fill_", "::zero_", "::sin", "::cos", "::clamp",
    ),
}  # fmt: skip
SHOWN = 3  # operators named beside each group


def main() -> None:
    """Measure, print, and with --json write."""
    given = arguments()
    train = ours.training(ours.built("finediffusion", given), "finediffusion", given)
    guided = ours.sampling(ours.built("finediffusion", given), "ancestral", given.steps, given)
    found = {"machine": machine(given.device), "settings": {"model": given.model, "batch": given.batch}}
    found["settings"] |= {"steps": given.steps, "sampling_batch": given.sampling_batch}
    acts = {"training step": lambda: train(given.steps), "sampling step": guided}
    for name, act in acts.items():
        found[name] = profiled(act, given.steps, given.device)
        print(table(name, found[name]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def profiled(act: Act, steps: int, device: str, shown: int = SHOWN) -> dict:
    """Milliseconds of one step by group, of an act of so many steps; the act runs once before.

    Args:
        shown: operators named in each group.
    """
    seconds(act, device)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    with profile(activities=activities) as recorded:
        wall = seconds(act, device)
    times: dict[str, Counter] = {group: Counter() for group in [*REGIONS, *GROUPS, "other"]}
    for event in recorded.events():
        if event.device_type == DeviceType.CPU:
            own = event.self_device_time_total if device == "cuda" else event.self_cpu_time_total
            times[group_of(event)][event.name] += own / 1000 / steps
    busy = sum(sum(operators.values()) for operators in times.values())
    wall *= 1000 / steps
    rows = {
        group: {
            "milliseconds": sum(operators.values()),
            "share": sum(operators.values()) / wall,
            "most": {name: taken for name, taken in operators.most_common(shown) if taken},
        }
        for group, operators in times.items()
    }
    rows["nothing"] = {"milliseconds": max(0.0, wall - busy), "share": max(0.0, 1 - busy / wall), "most": {}}
    return {"wall_milliseconds": wall, "groups": rows}


def group_of(event: FunctionEvent) -> str:
    """The group that an operator's own time belongs to."""
    chain, above = [], event
    while above is not None:
        chain.append(above.name)
        above = above.cpu_parent
    for region, words in REGIONS.items():
        if any(word in name for name in chain for word in words):
            return region
    names = [event.name, *(kernel.name for kernel in event.kernels)]
    for group, words in GROUPS.items():
        if any(word in name for name in names for word in words):
            return group
    return "other"


def table(name: str, found: dict) -> str:
    """One profile for a reader, the greatest share first."""
    lines = [f"{name}: {found['wall_milliseconds']:.1f} ms"]
    for group, row in sorted(found["groups"].items(), key=lambda item: -item[1]["milliseconds"]):
        lines.append(f"  {group:<24} {row['milliseconds']:>9.2f} ms {row['share']:>7.1%}  {', '.join(row['most'])}")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """The command line, and what follows from it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="DiT-XL/2")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--sampling-batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=5, help="steps that the profile is the mean of")
    parser.add_argument("--json", type=Path)
    return ours.resolved(parser)


if __name__ == "__main__":
    main()
