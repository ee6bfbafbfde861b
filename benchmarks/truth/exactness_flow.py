"""SiT's part of exactness.py: output, loss on given times, and guided samples, on weights that its code saved.

SiT-S/2 on 16 x 16 latents, whose weights are drawn at random and saved as its training code saves them; ours are read
from that file, strictly. In float32 both sides compute as they do; in float64 the published times are made in float64
too (they are rounded to float32 on both sides before their features are taken).
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from benchmarks.speed.published import error, load
from finefit import processes
from finefit.diffusion.predict import guided
from finefit.models import checkpoint
from finefit.models.dit import DiT
from finefit.models.embedders import LabelEmbedder

CLASSES, SCALE, STEPS, SIDE = 1000, 4.0, 50, 16
LABELS = torch.tensor([7, 999])
FLOW = processes.find("flow")


def sit(folder: Path) -> dict[str, float]:
    """Relative errors against willisma/SiT, by quantity and precision."""
    models, transport = load(folder, "transport")
    theirs = models.SiT_models["SiT-S/2"](input_size=SIDE, num_classes=CLASSES)
    for name, value in theirs.named_parameters():
        if name != "pos_embed":
            nn.init.normal_(value, std=0.03)
    ours = read_strictly(theirs)
    embed, found = models.TimestepEmbedder.timestep_embedding, {}
    for dtype in (torch.float32, torch.float64):
        models.TimestepEmbedder.timestep_embedding = staticmethod(lambda *given, to=dtype: embed(*given).to(to))
        errors = compared(ours.to(dtype), theirs.to(dtype), transport, dtype)
        found |= {f"{quantity}, {str(dtype).partition('.')[2]}": value for quantity, value in errors.items()}
    return found


def read_strictly(theirs: nn.Module) -> DiT:
    """Our network with the weights of a checkpoint as the published training code writes one."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "0000000.pt"
        torch.save({"model": theirs.state_dict(), "ema": theirs.state_dict(), "opt": {}, "args": Namespace()}, file)
        state = checkpoint.read(file)
        shape = checkpoint.shape_of(state, file)
        checkpoint.check(state, shape, file)
        model = DiT(shape, LabelEmbedder(CLASSES, shape.width))
        model.load_state_dict(state)
    return model.eval()


@torch.no_grad()
def compared(ours: DiT, theirs: nn.Module, transport: ModuleType, dtype: torch.dtype) -> dict[str, float]:
    """Relative errors of output, loss and samples in one precision."""
    theirs.eval()
    chance = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 4, 4, SIDE, SIDE, generator=chance, dtype=torch.float64).to(dtype)
    t, labels = torch.tensor([0.0, 0.1, 0.7, 0.999]), torch.arange(4) * 300
    path = transport.create_transport()
    path.sample = lambda x1: (t.to(x1), noise, x1)
    published = path.training_losses(theirs, x0, {"y": labels})
    xt = FLOW.noised(x0, t, noise)
    output = ours(xt, t, labels)
    loss = FLOW.loss(output, x0, xt, t, FLOW.target(x0, noise))
    found = {"output": error(output[:, :4], published["pred"]), "loss": error(loss, published["loss"])}

    rows = ours.y_embedder.reference_rows(LABELS, "null")
    predict = guided(ours, LABELS, rows, SCALE, channels=3, interval=(0, 999), process=FLOW)
    start, settings = x0[: len(LABELS)], {"y": torch.cat([LABELS, rows]), "cfg_scale": SCALE}
    for name in ("euler", "heun", "sde"):
        mine = FLOW.sample(name, predict, start, STEPS, stream(dtype))
        with drawing(dtype):
            drawn = drawer(name, transport)(torch.cat([start, start]), theirs.forward_with_cfg, **settings)[-1]
        found[f"{STEPS} steps of {name}, scale {SCALE:g}"] = error(mine, drawn[: len(LABELS)])
    return found


def drawer(name: str, transport: ModuleType) -> Callable[..., Tensor]:
    """The published sampler that takes the steps of one of ours; of an equation's ends it counts the points."""
    sampler = transport.Sampler(transport.create_transport())
    if name == "sde":
        return sampler.sample_sde(diffusion_form="sigma", num_steps=STEPS)
    return sampler.sample_ode(sampling_method={"euler": "euler", "heun": "heun2"}[name], num_steps=STEPS + 1)


def stream(dtype: torch.dtype) -> processes.Noise:
    """The same noise at every step, whoever asks."""
    chance = torch.Generator().manual_seed(1)
    shape = (len(LABELS), 4, SIDE, SIDE)
    return lambda: torch.empty(shape, dtype=torch.float64).normal_(generator=chance).to(dtype)


@contextmanager
def drawing(dtype: torch.dtype) -> Iterator[None]:
    """Published times in this precision, and our noise for both halves of its batch."""
    noise, randn = stream(dtype), torch.randn
    torch.set_default_dtype(dtype)
    torch.randn = lambda *_: torch.cat([noise()] * 2)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.randn = randn
