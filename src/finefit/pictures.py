"""Reading picture files: upright RGB, cropped to a centred square and scaled, as the published code preprocesses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps


def read_files(paths: list[Path], resolution: int) -> np.ndarray:
    """Picture files to uint8 `[n, resolution, resolution, 3]`.

    Raises:
        ValueError: a file cannot be read as a picture; the message names it.
    """
    return np.stack([read_file(path, resolution) for path in paths])


def read_file(path: Path, resolution: int) -> np.ndarray:
    """One picture file to uint8 `[resolution, resolution, 3]`."""
    try:
        with Image.open(path) as image:
            return centre_crop(ImageOps.exif_transpose(image).convert("RGB"), resolution)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: not readable as a picture ({error}); replace or remove it") from None


def centre_crop(image: Image.Image, resolution: int) -> np.ndarray:
    """ADM's preprocessing: halve while twice too large, scale the short side bicubically, crop the centre."""
    while min(image.size) >= 2 * resolution:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = resolution / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    top, left = (pixels.shape[0] - resolution) // 2, (pixels.shape[1] - resolution) // 2
    return pixels[top : top + resolution, left : left + resolution]
