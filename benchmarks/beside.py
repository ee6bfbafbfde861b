"""What guidance away from the untouched base costs beside guidance away from the null row: seconds and memory.

    python benchmarks/beside.py --json benchmarks/results/beside.json

Seconds are of the network's answer at one step of sampling in float32, contestants in turns; "two passes" asks the two
networks one after the other, and "difference" is how far the two answers lie apart. Memory is parameters held: counted
at DiT-XL/2 without memory, and held at the size that is timed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from functools import partial
from pathlib import Path

import torch
from measuring import Act, in_turns, machine, ratio
from safetensors.torch import save_file

from finefit import methods
from finefit.deltas.beside import beside
from finefit.deltas.network import network, unconditional
from finefit.diffusion.predict import guided
from finefit.jobs.devices import device_here
from finefit.models.checkpoint import read_base
from finefit.models.dit import DiT
from finefit.models.embedders import LabelEmbedder
from finefit.models.shapes import Shape
from finefit.processes import Predict
from finefit.sampling.networks import frozen

CLASSES, SCALE = 101, 1.5


def described(method: str, size: str) -> dict:
    """A run of a method with its defaults, at a network's size and 256 pixels."""
    settings = {"lr": 1e-3, "guidance": ("null",)}
    common = {"seed": 0, "num_classes": CLASSES, "superclass_of": [0] * CLASSES, "latent_shape": [4, 32, 32]}
    return {"method": method, "method_settings": settings, "network": {"size": size, "patch": 2}} | common


def held(model: torch.nn.Module) -> int:
    """Parameters that a network holds; those that lie in one place count once."""
    return sum(parameter.numel() for parameter in {p.data_ptr(): p for p in model.parameters()}.values())


def counted(method: str) -> dict[str, float]:
    """Parameters at DiT-XL/2 with guidance away from the null row and from the base: what both trained comes twice."""
    with torch.device("meta"):
        model, plain = (
            network(described(method, "XL"), None),
            DiT(Shape("XL", 2, 32), LabelEmbedder(1, 1152, null=False)),
        )
    own = sum(parameter.numel() for parameter in model.parameters())
    twice = sum(p.numel() for name, p in plain.named_parameters() if name in model.trained or name.startswith("y_"))
    return {"null": own, "base": own + twice, "ratio": (own + twice) / own}


def step(model: DiT, away: str, pair: DiT | None, count: int, device: str) -> Act:
    """The network's answer for `count` pictures at a step."""
    rows = torch.arange(count, device=device)
    references = torch.zeros_like(rows) if away == "base" else torch.full_like(rows, CLASSES)
    predict = guided(model, rows, references, SCALE, 3, (0, 999), pair=pair)
    x = latents(count, device)
    return lambda: asked(predict, x)


@torch.inference_mode()
def asked(predict: Predict, x: torch.Tensor) -> torch.Tensor:
    """One answer."""
    return predict(x, 500)


def main() -> None:
    """Print and, with --json, write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="S")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--methods", nargs="*", default=methods.names())
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    device, found = device_here(), {"machine": machine(device_here()), "size": given.size, "count": given.count}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "base.safetensors"
        torch.manual_seed(0)
        base = DiT(Shape(given.size, 2, 32), LabelEmbedder(1000, Shape(given.size, 2, 32).width))
        shake(base, {name for name, _ in base.named_parameters()} - {"pos_embed"})
        save_file(base.state_dict(), file)
        for method in given.methods:
            found[method] = measured(method, file, given, device)
            print(method, json.dumps(found[method]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def measured(method: str, file: Path, given: argparse.Namespace, device: str) -> dict:
    """Seconds and parameters of one method."""
    model = network(described(method, given.size), read_base(file))
    shake(model, model.trained)
    base = unconditional(file, model.shape)
    pair = beside(model, base)
    parameters = {"null": held(model), "base": held(pair)}
    model, base, pair = (frozen(one, "float32", device).eval() for one in (model, base, pair))
    at_a_step = partial(step, model=model, count=given.count, device=device)
    contestants = {
        "null": lambda: at_a_step(away="null", pair=None),
        "base": lambda: at_a_step(away="base", pair=pair),
        "two passes": lambda: two_passes(model, base, given.count, device),
    }
    times = in_turns(contestants, given.rounds, 60, device)
    one, two = (contestants[name]()() for name in ("base", "two passes"))
    return {
        "parameters": parameters | {"ratio": parameters["base"] / parameters["null"]},
        "parameters at DiT-XL/2": counted(method),
        "difference": float((one - two).norm() / two.norm()),
        "seconds": {name: each.get("median") for name, each in times.items()},
        "base over null": ratio(times["base"], times["null"]),
        "base over two passes": ratio(times["base"], times["two passes"]),
    }


def two_passes(model: DiT, base: DiT, count: int, device: str) -> Act:
    """The same by asking one network after the other."""
    rows = torch.arange(count, device=device)
    label, reference = (guided(one, given, None, 1.0, 3, (0, 999)) for one, given in ((model, rows), (base, 0 * rows)))
    x = latents(count, device)

    def act() -> torch.Tensor:
        own, other = asked(label, x), asked(reference, x)
        return torch.cat([other[:, :3] + SCALE * (own[:, :3] - other[:, :3]), own[:, 3:]], dim=1)

    return act


def latents(count: int, device: str) -> torch.Tensor:
    """Noised latents, the same for all."""
    return torch.randn(count, 4, 32, 32, generator=torch.Generator().manual_seed(0)).to(device)


def shake(model: DiT, names: set[str]) -> None:
    """Move parameters at random, as if trained: adaLN and the last layer begin at zero, and would hide all else."""
    for name, parameter in model.named_parameters():
        if name in names:
            parameter.data += 0.02 * torch.randn(parameter.shape)


if __name__ == "__main__":
    main()
