"""ControlNet (Zhang et al. 2023): a network that steers another by a condition's picture, trained under any method.

It starts as a copy of the steered network's encoder with new layers, which no copy brings: of these are trained whole
those that `also` names. The steered network stays frozen.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from finefit.jobs import borders
from finefit.unets import methods, pipelines, training
from finefit.unets.edges import edges

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from torch import nn

SAMPLES = 4


def controlnet(
    request: training.Request, folder: Path, conditions: Path | None, prompt: str, kind: str, also: list[str]
) -> None:
    """Train, and publish delta, run and a sheet: conditions, samples before, samples after; done if `out` stands.

    Args:
        folder: pictures, each with its prompt in a .txt file of its name where it has one of its own.
        conditions: folder with a picture of the same name for each; None draws edges.
        prompt: of pictures without a .txt file.
        kind: diffusers' class of the steering network.
        also: patterns of new parameters to train whole; those that only a method other than "full" needs.

    Raises:
        ValueError: folder, model or settings are faulty.
    """
    if request.out.exists():
        return
    files = pipelines.pictures(folder)
    prompts = [f.with_suffix(".txt").read_text().strip() if f.with_suffix(".txt").exists() else prompt for f in files]
    if conditions:
        missing = [file.name for file in files if not (conditions / file.name).is_file()]
        if missing:
            raise ValueError(f"{conditions / missing[0]}: missing: a condition has the name of its picture")
    recipe = {"pictures": [[f.name, f.stat().st_size] for f in files], "prompts": prompts, "conditions": conditions}
    work = training.begin(request, recipe | {"kind": kind, "also": also})
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pipe = pipelines.open_pipeline(request.model, device)
    steering = new_network(kind, pipe.unet, request.seed).to(device)
    shown = [condition(file, conditions, pipelines.side_of(pipe)) for file in files]
    hints, moments = torch.cat([pipelines.tensor(one) for one in shown]), pipelines.moments(pipe, files)
    with torch.no_grad():
        embedded = [pipe.encode_prompt(text, device, 1, False)[0] for text in prompts]
    noiser = pipelines.noise_of(pipe)
    methods.attach(steering, request.method, **({} if request.method == "full" else {"also": also}))

    def loss(random: torch.Generator) -> Tensor:
        """Of one pair."""
        one = torch.randint(len(files), (1,), generator=random).item()
        control = partial(steer, steering, hints[one : one + 1].to(device))
        return training.denoising(pipe, noiser, moments[one], embedded[one], random, control)

    from diffusers import AutoPipelineForText2Image

    steered = AutoPipelineForText2Image.from_pipe(pipe, controlnet=steering)
    steered.set_progress_bar_config(disable=True)
    row = [shown[:SAMPLES]]
    if not (work / "before.png").exists():
        pipelines.sheet([drawn(steered, prompts, shown, request.sample_steps)]).save(work / "before.png")
    training.fit(request, work, {"controlnet": steering}, loss)
    before_it = work / "before.png"
    with borders.reading(before_it, "damaged", "delete it and repeat"), Image.open(before_it) as before:
        after = pipelines.sheet([drawn(steered, prompts, shown, request.sample_steps)])
        pipelines.sheet([[pipelines.sheet(row)], [before.convert("RGB")], [after]]).save(work / "samples.png")
    training.publish(work, request.out)


def new_network(kind: str, steered: nn.Module, seed: int) -> nn.Module:
    """A steering network as training starts with it: copied layers, and new ones drawn from the seed."""
    import diffusers

    if not hasattr(getattr(diffusers, kind, None), "from_unet"):
        raise ValueError(f"--kind {kind}: no class of diffusers that is made from another network (from_unet)")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return getattr(diffusers, kind).from_unet(steered)


def steer(steering: nn.Module, hint: Tensor, noisy: Tensor, at: Tensor, prompt: Tensor) -> dict:
    """What the steered network is given by its steering one."""
    down, middle = steering(noisy, at, encoder_hidden_states=prompt, controlnet_cond=hint, return_dict=False)
    return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}


def condition(file: Path, conditions: Path | None, side: int) -> Image.Image:
    """The condition of a picture: of its name in the folder, or its edges."""
    if conditions:
        return pipelines.read(conditions / file.name, side)
    return Image.fromarray(edges(np.array(pipelines.read(file, side)))).convert("RGB")


def drawn(pipe: DiffusionPipeline, prompts: list[str], shown: list[Image.Image], steps: int) -> list[Image.Image]:
    """A sample for each of the first conditions."""
    few = list(zip(prompts, shown, strict=True))[:SAMPLES]
    return [pipelines.draw(pipe, text, range(n, n + 1), steps, image=hint)[0] for n, (text, hint) in enumerate(few)]
