"""Methods on others' text-to-image pipelines: DreamBooth, ControlNet, and counting what is published of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from finefit.jobs import stopping

app = typer.Typer()

# Of the new layers, what the count that DiffFit prints for ControlNet contains (data/published/controlnet.yaml).
PUBLISHED_ALSO = ["controlnet_down_blocks.*", "controlnet_cond_embedding.*"]

Model = Annotated[Path, typer.Option(help="Folder of a text-to-image pipeline as diffusers saves it.")]
Out = Annotated[Path, typer.Option(help="Folder to publish: delta.safetensors, samples.png, run.json.")]
Method = Annotated[str, typer.Option(help="full, bitfit, difffit or lora.")]
Steps = Annotated[int, typer.Option(min=1, help="Optimizer steps.")]
Rate = Annotated[float | None, typer.Option(help="Learning rate; the method's where left out.")]
Seed = Annotated[int, typer.Option(min=0, help="Of noise, times and order.")]
SampleSteps = Annotated[int, typer.Option(min=1, help="Steps of the sampler, for every picture drawn.")]


@app.command()
def dreambooth(
    photos: Annotated[Path, typer.Argument(help="Folder with a few pictures of the subject.")],
    model: Model,
    prompt: Annotated[str, typer.Option(help="What the pictures show, with a rare word for the subject.")],
    class_prompt: Annotated[str, typer.Option(help="What the subject is one of: its prior is preserved.")] = "",
    class_pictures: Annotated[int, typer.Option(min=1, help="Pictures of the class that the base draws.")] = 100,
    text_biases: Annotated[bool, typer.Option("--text-biases", help="Train the text encoder's biases too.")] = False,
    method: Method = "difffit",
    steps: Steps = 500,
    lr: Rate = None,
    seed: Seed = 0,
    sample_steps: SampleSteps = 50,
    out: Out = Path("dreambooth"),
) -> None:
    """Teach a pipeline one subject; the same command goes on where it was stopped."""
    stopping.listen()
    from finefit.unets.dreambooth import dreambooth
    from finefit.unets.training import Request

    request = Request(model, out, method, steps, lr, seed, sample_steps)
    dreambooth(request, photos, prompt, class_prompt, class_pictures, text_biases)
    print(out)


@app.command()
def controlnet(
    pictures: Annotated[Path, typer.Argument(help="Folder of pictures, each with its prompt in a .txt file or not.")],
    model: Model,
    conditions: Annotated[Path | None, typer.Option(help="Folder of pictures of the same names; else edges.")] = None,
    prompt: Annotated[str, typer.Option(help="Of pictures without a .txt file.")] = "",
    kind: Annotated[str, typer.Option(help="diffusers' class of the steering network.")] = "ControlNetModel",
    also: Annotated[list[str] | None, typer.Option(help="New parameters to train whole, as patterns.")] = None,
    method: Method = "difffit",
    steps: Steps = 500,
    lr: Rate = None,
    seed: Seed = 0,
    sample_steps: SampleSteps = 50,
    out: Out = Path("controlnet"),
) -> None:
    """Teach a pipeline to follow a condition's picture; the same command goes on where it was stopped."""
    stopping.listen()
    from finefit.unets.controlnet import controlnet
    from finefit.unets.training import Request

    request = Request(model, out, method, steps, lr, seed, sample_steps)
    controlnet(request, pictures, conditions, prompt, kind, also or PUBLISHED_ALSO)
    print(out)


@app.command("count-parts")
def count_parts() -> None:
    """Trained parameters of ControlNet and of DiffFit on it, on the true architectures, beside the published ones."""
    from finefit.unets import parts

    print("\n".join(parts.lines()))
