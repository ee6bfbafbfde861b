"""Reading picture files: upright RGB, cropped to a centred square and scaled, as the published code preprocesses.

Grey, palette, CMYK and 16-bit pictures become RGB of 8 bits; what is transparent becomes white; of an animation the
first frame is taken.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
GLANCE = (64, 64)  # pixels: the least that a check decodes
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


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
            return centre_crop(upright_rgb(image), resolution)
    except UNREADABLE as error:
        raise ValueError(f"{path}: not readable as a picture ({error}); replace or remove it") from None


def fault(path: Path) -> str | None:
    """What is wrong with a picture file, None where nothing is; decodes no more than it must."""
    if not path.stat().st_size:
        return "is empty (0 bytes)"
    try:
        with Image.open(path) as image:
            image.draft("RGB", GLANCE)
            upright_rgb(image)
    except UNREADABLE as error:
        return f"is not readable as a picture ({error})".replace(str(path), "file")
    return None


def upright_rgb(image: Image.Image) -> Image.Image:
    """The picture as its maker saw it, in RGB on white."""
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of no known range")
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip at 255
        return Image.fromarray((np.asarray(image).astype(np.int64) // 257).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def centre_crop(image: Image.Image, resolution: int) -> np.ndarray:
    """ADM's preprocessing: halve while twice too large, scale the short side bicubically, crop the centre."""
    while min(image.size) >= 2 * resolution:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = resolution / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    top, left = (pixels.shape[0] - resolution) // 2, (pixels.shape[1] - resolution) // 2
    return pixels[top : top + resolution, left : left + resolution]
