"""Folders in diffusers' layout, folders of pictures, and drawing from a pipeline with fixed noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from finefit.data.pictures import ENDINGS
from finefit.jobs import borders
from finefit.jobs.torchvision_shim import importable_torchvision

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, SchedulerMixin


NEEDED = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")


def open_pipeline(folder: Path, device: str) -> DiffusionPipeline:
    """The pipeline of a folder in float32, without gradients, that draws from text by a denoising network.

    Raises:
        ValueError: the folder holds no pipeline, or one without a needed part.
    """
    if not (folder / "model_index.json").is_file():
        raise ValueError(f"{folder}: no model_index.json: --model needs a pipeline's folder as diffusers saves it")
    importable_torchvision()
    from diffusers import DiffusionPipeline
    from diffusers.utils.logging import disable_progress_bar

    disable_progress_bar()
    with borders.reading(folder, "no pipeline that diffusers opens", "save it anew, with all its parts"):
        pipe = DiffusionPipeline.from_pretrained(folder, local_files_only=True)
    if missing := [name for name in NEEDED if getattr(pipe, name, None) is None]:
        raise ValueError(f"{folder}: {missing[0]}: missing from its model_index.json; training needs {NEEDED}")
    if pipe.unet.config.addition_embed_type or "prediction_type" not in pipe.scheduler.config:
        raise ValueError(f"{folder}: unet or scheduler is of a kind that this training has no loss for")
    for part in ("unet", "vae", "text_encoder"):
        getattr(pipe, part).requires_grad_(False)
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


def pictures(folder: Path) -> list[Path]:
    """The picture files of a folder by name; ValueError if there are none."""
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in ENDINGS) if folder.is_dir() else []
    if not files:
        raise ValueError(f"{folder}: no pictures: give a folder with {', '.join(sorted(ENDINGS))} files")
    return files


def read(file: Path, side: int) -> Image.Image:
    """A picture as RGB, scaled and cropped about its centre to a square of `side` pixels; ValueError if it is none."""
    with borders.reading(file, "no picture that can be read", "mend or remove it"), Image.open(file) as opened:
        return ImageOps.fit(ImageOps.exif_transpose(opened).convert("RGB"), (side, side), Image.Resampling.BICUBIC)


def side_of(pipe: DiffusionPipeline) -> int:
    """Pixels of a side of the pictures that a pipeline draws."""
    return pipe.unet.config.sample_size * pipe.vae_scale_factor


def tensor(picture: Image.Image) -> Tensor:
    """A picture as `[1, 3, h, w]` from 0 to 1."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


@torch.no_grad()
def moments(pipe: DiffusionPipeline, files: list[Path]) -> Tensor:
    """Mean and deviation of every picture's latent, before scaling: `[pictures, 2, c, h, w]` on the CPU."""
    found = []
    for file in files:
        coded = pipe.vae.encode(2 * tensor(read(file, side_of(pipe))).to(pipe.vae.device) - 1).latent_dist
        found.append(torch.stack([coded.mean[0], coded.std[0]]).cpu())
    return torch.stack(found)


def draw(pipe: DiffusionPipeline, prompt: str, seeds: range, steps: int, **control: object) -> list[Image.Image]:
    """A picture for each seed, from noise that depends on the seed alone."""
    return [
        pipe(prompt, generator=torch.Generator().manual_seed(seed), num_inference_steps=steps, **control).images[0]
        for seed in seeds
    ]


def sheet(rows: list[list[Image.Image]]) -> Image.Image:
    """Pictures of one size in rows."""
    width, height = rows[0][0].size
    paper = Image.new("RGB", (width * max(map(len, rows)), height * len(rows)), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            paper.paste(picture, (x * width, y * height))
    return paper


def noise_of(pipe: DiffusionPipeline) -> SchedulerMixin:
    """The training noise of the pipeline's own schedule."""
    from diffusers import DDPMScheduler

    return DDPMScheduler.from_config(pipe.scheduler.config)
