"""How far our network, loss and samplers are from the published code: relative errors in float64 (SiT: in float32 too).

    python -m benchmarks.truth.exactness DiT FineDiffusion SiT

The folders, any of them, are checkouts of the public repositories facebookresearch/DiT, FineDiffusion/FineDiffusion and
willisma/SiT, which this project neither holds nor copies. Both sides get the same random weights (DiT-S/4, 32 x 32
latents; see exactness_flow.py for SiT), latents, timesteps, labels and noise. Needs timm beside our own packages, and
torchdiffeq for SiT; five minutes on one core each.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from benchmarks.speed.published import error, load
from benchmarks.truth import exactness_flow
from finefit import processes
from finefit.deltas.network import add_norm_affine
from finefit.diffusion.predict import guided
from finefit.models.dit import DiT
from finefit.models.embedders import LabelEmbedder
from finefit.models.shapes import Shape
from finefit.training.label_dropout import drop_labels

CLASSES, SCALE, STEPS = 10_000, 4.0, 50
DDPM, SHAPE = processes.find("ddpm"), Shape("S", 4, 32)
LABELS = torch.tensor([7, 200, 5800, 9999])
# FineDiffusion's superclasses of iNaturalist as inclusive ranges of class ids; every other class is number 10.
RANGES = {
    0: (5729, 9999), 1: (175, 2700), 2: (3111, 4596), 3: (5388, 5728), 4: (4859, 5171), 5: (4613, 4858),
    6: (2756, 2938), 7: (2939, 3108), 8: (5219, 5387), 9: (4, 156),
}  # fmt: skip


def in_float64(models: ModuleType) -> None:
    """Let the published timestep features, float32 as ours are for whole timesteps, enter layers of float64."""
    embed = models.TimestepEmbedder.timestep_embedding
    models.TimestepEmbedder.timestep_embedding = staticmethod(lambda *given: embed(*given).double())


def randomised(model: nn.Module) -> nn.Module:
    """Every weight drawn at random, so that nothing hides behind a zero initialisation; float64."""
    model = model.double()
    for name, parameter in model.named_parameters():
        if name != "pos_embed":
            nn.init.normal_(parameter, 1.0 if "norm" in name and name.endswith("weight") else 0.0, 0.03)
    return model


def compared(model: DiT, theirs: nn.Module, diffusion: ModuleType, reference: str) -> dict[str, float]:
    """Relative errors of output, gradient, loss and a guided sampling, on the same weights."""
    theirs.load_state_dict(model.state_dict())
    theirs.eval()
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, 4, 4, 32, 32, generator=generator, dtype=torch.float64)
    t = torch.tensor([0, 250, 700, 999])
    found = {}
    outputs = []
    for network in (model, theirs):
        z = x.clone().requires_grad_()
        output = network(z, t, LABELS)
        outputs += [(output, torch.autograd.grad(output.square().sum(), z)[0])]
    found["output"] = error(outputs[0][0], outputs[1][0])
    found["gradient"] = error(outputs[0][1], outputs[1][1])

    with torch.no_grad():
        dropped = torch.tensor([1, 0, 1, 0])
        rows = drop_labels(LABELS, model.y_embedder, [reference], 0.5, (1 - dropped) * 0.6)
        table = theirs.y_embedder(LABELS.clone(), train=True, force_drop_ids=dropped)
        found["dropped labels"] = error(model.y_embedder(rows), table)
        process = DDPM
        noised = process.noised(x, t, noise)
        ours = process.loss(model(noised, t, LABELS), x, noised, t, noise)
        full = diffusion.create_diffusion("")
        found["loss"] = error(ours, full.training_losses(theirs, x, t, {"y": LABELS}, noise=noise)["loss"])
        found[f"{STEPS}-step sample, scale {SCALE:g}"] = sampling_error(model, theirs, diffusion, reference)
    return found


def sampling_error(model: DiT, theirs: nn.Module, diffusion: ModuleType, reference: str) -> float:
    """Relative error of guided ancestral sampling from the same noise at every step."""

    def stream():
        generator = torch.Generator().manual_seed(1)
        return lambda: torch.randn(len(LABELS), 4, 32, 32, generator=generator, dtype=torch.float64)

    rows = model.y_embedder.reference_rows(LABELS, reference)
    noise = stream()
    predict = guided(model, LABELS, rows, SCALE, channels=3, interval=(0, 999))
    ours = DDPM.ancestral(predict, noise(), STEPS, noise)

    noise = stream()
    start = torch.cat([noise()] * 2)
    drawn, torch.randn_like = torch.randn_like, lambda _: torch.cat([noise()] * 2)
    try:
        samples = diffusion.create_diffusion(str(STEPS)).p_sample_loop(
            theirs.forward_with_cfg, start.shape, start, clip_denoised=False,
            model_kwargs={"y": torch.cat([LABELS, rows]), "cfg_scale": SCALE}, device="cpu",
        )  # fmt: skip
    finally:
        torch.randn_like = drawn
    return error(ours, samples[: len(LABELS)])


def dit(folder: Path) -> dict[str, float]:
    """Against facebookresearch/DiT."""
    models, diffusion = load(folder)
    in_float64(models)
    model = randomised(DiT(SHAPE, LabelEmbedder(CLASSES, SHAPE.width)))
    theirs = models.DiT_S_4(input_size=32, num_classes=CLASSES).double()
    return compared(model, theirs, diffusion, "null")


def finediffusion(folder: Path) -> dict[str, float]:
    """Against FineDiffusion/FineDiffusion."""
    models, diffusion = load(folder)
    in_float64(models)
    superclass_of = torch.full((CLASSES,), 10)
    for number, (first, last) in RANGES.items():
        superclass_of[first : last + 1] = number
    tiered = DiT(SHAPE, LabelEmbedder(CLASSES, SHAPE.width, superclass_of, null=False))
    add_norm_affine(tiered)
    theirs = models.DiT_S_4(input_size=32, num_classes=CLASSES, num_super_classes=11).double()
    return compared(randomised(tiered), theirs, diffusion, "superclass")


def main() -> None:
    """Print a table and, with --json, write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="checkouts; the folders' names say of what")
    parser.add_argument("--json", type=Path, help="file for the errors")
    given = parser.parse_args()
    codes = {"DiT": dit, "FineDiffusion": finediffusion, "SiT": exactness_flow.sit}
    errors = {}
    for folder in given.folders:
        if folder.name not in codes:
            parser.error(f"{folder}: give checkouts in folders of the names {', '.join(codes)}")
        torch.manual_seed(0)
        errors[folder.name] = codes[folder.name](folder)
    for code, values in errors.items():
        for quantity, value in values.items():
            print(f"{code:<14} {quantity:<40} {value:.1e}")
    if given.json:
        given.json.write_text(json.dumps(errors, indent=1) + "\n")


if __name__ == "__main__":
    main()
