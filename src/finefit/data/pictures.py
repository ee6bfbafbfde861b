"""Reading picture files: upright sRGB, cropped to a centred square and scaled, as the published code preprocesses.

Grey, palette, CMYK and 16-bit pictures become RGB of 8 bits; colour profiles are applied; what is transparent becomes
white; of an animation the first frame is taken. A 16-bit file may hold the 12 bits of a camera; how many it holds has
to be told (`bits`). Whatever a decoder raises is the picture's fault: this is the border, and nothing above asks why.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageCms, PngImagePlugin, UnidentifiedImageError

ENDINGS = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff", ".jp2", ".ppm", ".pgm",
}  # fmt: skip
GLANCE = (64, 64)  # pixels: the least that a check decodes
SHOWN = 128  # pixels across that a picture which is there to be looked at keeps at most
DEEP = 16  # bits of a deep picture, unless fewer are told
TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
UNSEEN = 2  # of 255: a profile that changes no colour by more is taken for sRGB itself
# What a PNG may hold beside its pixels. Pillow's own megabyte is less than editing programs write into one.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 2**26


class Look(NamedTuple):
    """What a check found: the fault, None where there is none; the largest value of a 16-bit picture, 0 of others."""

    fault: str | None
    largest: int = 0


def read_files(
    paths: list[Path], resolution: int, bits: int | None = None, read: Callable[[Path], bytes] = Path.read_bytes
) -> np.ndarray:
    """Picture files to uint8 `[n, resolution, resolution, 3]`.

    Args:
        bits: the range of those with 16-bit values.
        read: gives a file's bytes.

    Raises:
        ValueError: a file cannot be read as a picture; the message names it.
    """
    pictures = np.empty((len(paths), resolution, resolution, 3), np.uint8)
    for place, path in enumerate(paths):
        pictures[place] = read_file(path, resolution, bits, read)
    return pictures


def read_file(
    path: Path, resolution: int, bits: int | None = None, read: Callable[[Path], bytes] = Path.read_bytes
) -> np.ndarray:
    """One picture file to uint8 `[resolution, resolution, 3]`; see `read_files`."""
    content = read(path)
    try:
        with opened(content) as image:
            return centre_crop(upright_rgb(image, bits), resolution)
    except Unreadable as error:
        raise ValueError(f"{path}: {error}; replace or remove it") from None


def look(content: bytes, bits: int | None = None) -> Look:
    """Check a picture file's bytes; decodes no more than it must."""
    if not content:
        return Look("is empty (0 bytes)")
    try:
        with opened(content) as image:
            image.draft("RGB", GLANCE)
            deep = is_deep(image)
            upright_rgb(image, bits)
            return Look(None, largest_value(image) if deep else 0)
    except Unreadable as error:
        return Look(f"is {error}")


class Unreadable(ValueError):
    """Bytes that are no picture which can be read, and why."""


@contextmanager
def opened(content: bytes) -> Iterator[Image.Image]:
    """The picture that a file's bytes hold.

    Raises:
        Unreadable: in place of anything that is raised while the picture is opened and used.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            yield image
    except UnidentifiedImageError:
        raise Unreadable("not readable as a picture (of no format that is known)") from None
    except Exception as error:  # decoders raise all kinds: struct.error, TypeError, RuntimeError, MemoryError
        raise Unreadable(f"not readable as a picture ({str(error) or type(error).__name__})") from None


def is_deep(image: Image.Image) -> bool:
    """Whether a picture has 16-bit values; known of one whose pixels are not loaded yet."""
    return image.mode.startswith("I") or any("16" in str(tile.args) for tile in getattr(image, "tile", []))


def largest_value(image: Image.Image) -> int:
    """The largest of a deep picture's values; of 16-bit colour Pillow keeps the upper byte."""
    return int(np.asarray(image).max()) * (1 if image.mode.startswith("I") else 257)


def upright_rgb(image: Image.Image, bits: int | None = None) -> Image.Image:
    """The picture as its maker saw it, in sRGB on white; `bits` is the range of 16-bit values."""
    deep_colour = is_deep(image) and not image.mode.startswith("I")
    image = upright(image)
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of no known range")
    if image.mode.startswith("I"):  # Pillow would clip at 255
        return Image.fromarray(eight_bits(np.asarray(image), bits or DEEP)).convert("RGB")
    if deep_colour and bits not in (None, DEEP):
        raise ValueError(f"of its 16-bit colours only 8 bits can be read, and not {bits}: convert it to 8 bits")
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("L", "LA") else "RGBA")
        white, opaque = Image.new("RGBA", image.size, "white"), in_srgb(image, profile).convert("RGBA")
        opaque.putalpha(image.getchannel("A"))
        return Image.alpha_composite(white, opaque).convert("RGB")
    return in_srgb(image, profile).convert("RGB")


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its metadata say; as it is where they cannot be read."""
    image.load()
    try:
        turned = TURNED.get(image.getexif().get(ExifTags.Base.Orientation))
    except Exception:  # of metadata nothing else is wanted, and the pixels are there
        turned = None
    return image if turned is None else image.transpose(turned)


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours of a picture by its profile, without what is transparent; as they are where it has none that fits."""
    mode = {"LA": "L", "P": "RGB", "PA": "RGB", "RGBA": "RGB", "RGBX": "RGB"}.get(image.mode, image.mode)
    transform = to_srgb(profile, mode) if profile and mode in ("L", "RGB", "CMYK") else None
    return image if transform is None else ImageCms.applyTransform(image.convert(mode), transform)


@lru_cache(maxsize=8)
def to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile's colours to sRGB; None where that changes nothing to be seen, or it is not of the mode."""
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except Exception:  # of another mode, or damaged: then programs show the picture without it
        return None
    if mode == "CMYK":
        return transform
    steps = np.stack(np.meshgrid(*[np.arange(0, 256, 51, dtype=np.uint8)] * 3), -1).reshape(1, -1, 3)
    before = Image.fromarray(steps).convert(mode)
    after = np.asarray(ImageCms.applyTransform(before, transform)).astype(int)
    return None if np.abs(after - np.asarray(before.convert("RGB"))).max() <= UNSEEN else transform


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
