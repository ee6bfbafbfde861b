"""Reading picture files: upright RGB, cropped to a centred square and scaled, as the published code preprocesses.

Grey, palette, CMYK and 16-bit pictures become RGB of 8 bits; what is transparent becomes white; of an animation the
first frame is taken. A 16-bit file may hold the 12 bits of a camera; how many it holds has to be told (`bits`).
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
GLANCE = (64, 64)  # pixels: the least that a check decodes
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
SHOWN = 128  # pixels across that a picture which is there to be looked at keeps at most
DEEP = 16  # bits of a deep picture, unless fewer are told


class Look(NamedTuple):
    """What a check found: the fault, None where there is none; the largest value of a 16-bit picture, 0 of others."""

    fault: str | None
    largest: int = 0


def read_files(paths: list[Path], resolution: int, bits: int | None = None) -> np.ndarray:
    """Picture files to uint8 `[n, resolution, resolution, 3]`; `bits` is the range of those with 16-bit values.

    Raises:
        ValueError: a file cannot be read as a picture; the message names it.
    """
    pictures = np.empty((len(paths), resolution, resolution, 3), np.uint8)
    for place, path in enumerate(paths):
        pictures[place] = read_file(path, resolution, bits)
    return pictures


def read_file(path: Path, resolution: int, bits: int | None = None) -> np.ndarray:
    """One picture file to uint8 `[resolution, resolution, 3]`."""
    try:
        with Image.open(path) as image:
            return centre_crop(upright_rgb(image, bits), resolution)
    except UNREADABLE as error:
        raise ValueError(f"{path}: not readable as a picture ({error}); replace or remove it") from None


def look(path: Path, bits: int | None = None) -> Look:
    """Check a picture file; decodes no more than it must."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            return Look("is no file")
        if not about.st_size:
            return Look("is empty (0 bytes)")
        with Image.open(path) as image:
            image.draft("RGB", GLANCE)
            deep = is_deep(image)
            upright_rgb(image, bits)
            largest = largest_value(image) if deep else 0
    except UNREADABLE as error:
        return Look(f"is not readable as a picture ({error})".replace(str(path), "file"))
    return Look(None, largest)


def is_deep(image: Image.Image) -> bool:
    """Whether a picture has 16-bit values; known of one whose pixels are not loaded yet."""
    return image.mode.startswith("I") or any("16" in str(tile.args) for tile in getattr(image, "tile", []))


def largest_value(image: Image.Image) -> int:
    """The largest of a deep picture's values; of 16-bit colour Pillow keeps the upper byte."""
    return int(np.asarray(image).max()) * (1 if image.mode.startswith("I") else 257)


def upright_rgb(image: Image.Image, bits: int | None = None) -> Image.Image:
    """The picture as its maker saw it, in RGB on white; `bits` is the range of 16-bit values."""
    deep_colour = is_deep(image) and not image.mode.startswith("I")
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of no known range")
    if image.mode.startswith("I"):  # Pillow would clip at 255
        return Image.fromarray(eight_bits(np.asarray(image), bits or DEEP)).convert("RGB")
    if deep_colour and bits not in (None, DEEP):
        raise ValueError(f"of its 16-bit colours only 8 bits can be read, and not {bits}: convert it to 8 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def eight_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """Values of so many bits as uint8 of the same shape.

    Raises:
        ValueError: a value lies outside the range.
    """
    values, most = values.astype(np.int64), 2**bits - 1
    if values.min() < 0 or values.max() > most:
        raise ValueError(f"its values reach from {values.min()} to {values.max()}, beyond the {most} of {bits} bits")
    return (values * 255 // most).astype(np.uint8)


def centre_crop(image: Image.Image, resolution: int) -> np.ndarray:
    """ADM's preprocessing: halve while twice too large, scale the short side bicubically, crop the centre."""
    while min(image.size) >= 2 * resolution:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = resolution / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    top, left = (pixels.shape[0] - resolution) // 2, (pixels.shape[1] - resolution) // 2
    return pixels[top : top + resolution, left : left + resolution]


def reduced(pictures: np.ndarray) -> np.ndarray:
    """Pictures uint8 `[n, r, r, 3]` of at most `SHOWN` pixels across, by averaging blocks."""
    block = -(-pictures.shape[1] // SHOWN)
    if block == 1:
        return pictures
    return np.stack([np.asarray(Image.fromarray(picture).reduce(block)) for picture in pictures])
