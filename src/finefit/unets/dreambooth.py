"""DreamBooth (Ruiz et al. 2023): a subject from a few photos, under any method, with prior preservation.

The loss is that of a photo under the prompt, plus, where a class prompt is given, that of a picture which the base
itself drew under it (the paper's equation 2 with weight 1), so that other members of the class stay as they were.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from finefit.jobs import borders
from finefit.unets import methods, pipelines, training

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

SAMPLES = range(4)


def dreambooth(
    request: training.Request, photos: Path, prompt: str, class_prompt: str, class_pictures: int, text_biases: bool
) -> None:
    """Train, and publish delta, run and a sheet of samples, before above after; done already if `out` stands.

    Args:
        photos: folder of pictures of the subject.
        prompt: what they show, with a rare word for the subject.
        class_prompt: what the subject is one of; empty for no prior preservation.
        class_pictures: how many of these the base draws.
        text_biases: train the biases of the text encoder too.

    Raises:
        ValueError: folder, model or settings are faulty.
    """
    if request.out.exists():
        return
    files = pipelines.pictures(photos)
    recipe = {"photos": [[f.name, f.stat().st_size] for f in files], "prompt": prompt, "class_prompt": class_prompt}
    work = training.begin(request, recipe | {"class_pictures": class_pictures, "text_biases": text_biases})
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pipe = pipelines.open_pipeline(request.model, device)
    drawn = drawn_class(pipe, work / "class", class_prompt, class_pictures, request) if class_prompt else []
    if not (work / "before.png").exists():
        pipelines.sheet([pipelines.draw(pipe, prompt, SAMPLES, request.sample_steps)]).save(work / "before.png")
    noiser = pipelines.noise_of(pipe)
    sets = [(pipelines.moments(pipe, group), text) for group, text in ((files, prompt), (drawn, class_prompt)) if group]
    methods.attach(pipe.unet, request.method)
    parts = {"unet": pipe.unet}
    if text_biases:
        methods.attach(pipe.text_encoder, "bitfit")
        parts["text_encoder"] = pipe.text_encoder
    with torch.no_grad():
        fixed = [] if text_biases else [pipe.encode_prompt(text, device, 1, False)[0] for _, text in sets]

    def loss(random: torch.Generator) -> torch.Tensor:
        """Of one photo, and one picture of the class."""
        said = fixed or [pipe.encode_prompt(text, device, 1, False)[0] for _, text in sets]
        chosen = [moments[torch.randint(len(moments), (1,), generator=random).item()] for moments, _ in sets]
        return sum(training.denoising(pipe, noiser, one, text, random) for one, text in zip(chosen, said, strict=True))

    training.fit(request, work, parts, loss)
    from PIL import Image

    before_it = work / "before.png"
    with borders.reading(before_it, "damaged", "delete it and repeat"), Image.open(before_it) as before:
        after = pipelines.sheet([pipelines.draw(pipe, prompt, SAMPLES, request.sample_steps)])
        pipelines.sheet([[before.convert("RGB")], [after]]).save(work / "samples.png")
    training.publish(work, request.out)


def drawn_class(
    pipe: DiffusionPipeline, folder: Path, prompt: str, count: int, request: training.Request
) -> list[Path]:
    """Pictures that the base draws of the class, each from its own seed; those that an earlier attempt drew stay."""
    folder.mkdir(exist_ok=True)
    files = [folder / f"{number:05d}.png" for number in range(count)]
    missing = [number for number, file in enumerate(files) if not file.exists()]
    for number in training.progress(missing, "pictures of the class", count - len(missing), count):
        seed = (request.seed + 1) * 1_000_003 + number  # apart from the seeds of the sheet
        drawn = pipelines.draw(pipe, prompt, range(seed, seed + 1), request.sample_steps)[0]
        drawn.save(folder / "new.png")
        (folder / "new.png").replace(files[number])
    return files
