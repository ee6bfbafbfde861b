"""Fonts that have the letters of a name: Pillow's own, matplotlib's, or one that is installed here."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import ImageFont

NOTHING = "\U0010ffff"  # has no letter in any font: what stands for such is drawn


def drawable(name: str, instead: str) -> str:
    """The name where a font here has its letters and it is one line, else what to write instead."""
    return name if name.isprintable() and path_of(name) is not None else instead


def font(text: str, size: int) -> ImageFont.FreeTypeFont:
    """A font for a text, Pillow's own where none has all its letters."""
    return opened(path_of(text) or "", size)


@cache
def path_of(text: str) -> str | None:
    """The first font with all letters of a text: empty for Pillow's own, a file, or None without any."""
    if covers("", text):
        return ""
    return next((path for path in files() if covers(path, text)), None)


@cache
def files() -> list[str]:
    """Font files, matplotlib's sans-serif before those that are installed."""
    from matplotlib import font_manager, get_data_path  # not above: it takes a second, and most names need none

    own = Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    return [str(own), *sorted(font_manager.findSystemFonts())]


def covers(path: str, text: str) -> bool:
    """Whether a font has all letters of a text; not, where it cannot be read."""
    try:
        here = opened(path, 12)
        nothing = bytes(here.getmask(NOTHING))
        return all(letter.isspace() or bytes(here.getmask(letter)) != nothing for letter in set(text))
    except Exception:  # a damaged font, a bitmap font of other sizes: the next one may do
        return False


@cache
def opened(path: str, size: int) -> ImageFont.FreeTypeFont:
    """A font file in a size in pixels; Pillow's own for an empty path."""
    return ImageFont.truetype(path, size) if path else ImageFont.load_default(size)
