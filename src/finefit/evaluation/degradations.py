"""Real pictures made worse in known steps: what every judge has to see, from barely to nothing left of the picture.

A step's size is stated for the picture's side, so that it means the same at any resolution.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from finefit.metrics.probe import Images

BLURS = (1 / 64, 1 / 32, 1 / 16, 1 / 8)  # deviation of the Gaussian, in sides
LEVELS = (8, 16, 32, 64)  # of 255: deviation of the noise, and the shift of red up and of blue down
QUALITIES = (75, 50, 20, 5)  # of JPEG
PIECES = (2, 4, 8)  # per side, put together at random
SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)  # of the pictures that are exchanged or copied
DROPPED = (1 / 8, 1 / 4, 1 / 2, 3 / 4)  # of the classes
BLOTS = 4  # colours per side
BATCH = 16  # pictures that are changed at once: in floating point they take thirty times their memory


@dataclass(frozen=True)
class Degraded:
    """One step of a degradation: pictures, uint8 `[n, h, w, 3]`, and the classes that they are said to show, `[n]`.

    Attributes:
        destroyed: nothing of what the pictures showed is left.
    """

    name: str
    step: str
    images: np.ndarray
    labels: np.ndarray
    destroyed: bool = False


@dataclass(frozen=True)
class Pool:
    """Pictures to draw from, uint8 `[n, h, w, 3]` (which may be read when asked for), with their classes `[n]`."""

    images: Images | np.ndarray
    labels: np.ndarray

    def take(self, rows: slice | np.ndarray) -> np.ndarray:
        """Some of the pictures."""
        return np.asarray(self.images[rows])


def every(pool: Pool, train: Pool, count: int, seed: int = 0) -> Iterator[Degraded]:
    """All degradations, each from its mildest step on, of the first `count` pictures of a pool of held-out ones.

    Args:
        pool: real pictures that no judge was trained on; where classes are dropped, others of it stand in.
        train: training pictures, to be copied.
        count: pictures of a step.
    """
    images, labels = pool.take(slice(count)), pool.labels[:count]
    side = images.shape[1]

    def changed(name: str, steps: tuple, change: Callable, words: Callable[..., str], last: bool = False) -> Iterator:
        for step in steps:
            random = np.random.default_rng([seed, *name.encode(), int(1000 * step)])
            parts = [change(images[start : start + BATCH], step, random) for start in range(0, len(images), BATCH)]
            yield Degraded(name, words(step), np.concatenate(parts), labels, last and step == steps[-1])

    yield from changed("blur", BLURS, lambda x, s, _: blurred(x, s * side), lambda s: f"{s * side:g} pixels")
    yield from changed("noise", LEVELS, noised, lambda s: f"{s} levels")
    yield from changed("JPEG", QUALITIES, lambda x, s, _: compressed(x, s), lambda s: f"quality {s}")
    yield from changed("colour shift", LEVELS, lambda x, s, _: tinted(x, s), lambda s: f"{s} levels")
    pieces = tuple(number for number in PIECES if number <= side)
    yield from changed("pieces shuffled", pieces, shuffled, lambda s: f"{s} × {s}", last=True)
    for share in SHARES:
        yield Degraded("classes exchanged", f"{share:.3g} of pictures", images, exchanged(labels, share, seed))
    known = np.unique(pool.labels)
    for share in DROPPED if len(known) > 3 else ():
        gone = np.random.default_rng(seed).permutation(known)[: round(share * len(known))]
        rows = refilled(np.flatnonzero(~np.isin(pool.labels, gone)), count)
        yield Degraded("classes dropped", f"{len(gone)} of {len(known)}", pool.take(rows), pool.labels[rows])
    for share in SHARES:
        rows, places = np.random.default_rng(seed).permutation(len(train.images)), np.arange(round(share * count))
        mixed, swapped = images.copy(), labels.copy()
        rows = refilled(rows, len(places))
        mixed[places], swapped[places] = train.take(rows), train.labels[rows]
        yield Degraded("copies of training pictures", f"{share:.3g} of pictures", mixed, swapped)
    yield from changed("blots", (BLOTS,), lambda x, s, _: blots(x, s), lambda s: f"{s} × {s} colours", last=True)
    yield from changed("plain noise", (255,), plain_noise, lambda _: "all of the picture", last=True)


def refilled(rows: np.ndarray, count: int) -> np.ndarray:
    """The first `count` of some rows, from the start again where there are fewer."""
    return rows[np.arange(count) % len(rows)]


def blurred(images: np.ndarray, pixels: float) -> np.ndarray:
    """Pictures through a Gaussian of that deviation."""
    return rounded(gaussian_filter(images.astype(np.float32), (0, pixels, pixels, 0), mode="nearest"))


def noised(images: np.ndarray, levels: float, random: np.random.Generator) -> np.ndarray:
    """Pictures with normal noise of that deviation."""
    return rounded(images + random.normal(0, levels, images.shape))


def compressed(images: np.ndarray, quality: int) -> np.ndarray:
    """Pictures through JPEG."""

    def through(image: np.ndarray) -> np.ndarray:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer))

    return np.stack([through(image) for image in images])


def tinted(images: np.ndarray, levels: float) -> np.ndarray:
    """Pictures with red raised and blue lowered."""
    return rounded(images + np.array([levels, 0.0, -levels]))


def shuffled(images: np.ndarray, number: int, random: np.random.Generator) -> np.ndarray:
    """Pictures cut into `number` by `number` pieces, put together in a random order of each one's own."""
    n, side = len(images), images.shape[1]
    edges = np.linspace(0, side, number + 1).astype(int)[:-1]
    piece = side // number
    result = images.copy()
    places = [(top, left) for top in edges for left in edges]
    for image in range(n):
        for (top, left), place in zip(places, random.permutation(len(places)), strict=True):
            y, x = places[place]
            result[image, top : top + piece, left : left + piece] = images[image, y : y + piece, x : x + piece]
    return result


def blots(images: np.ndarray, number: int) -> np.ndarray:
    """Pictures of which `number` by `number` mean colours are left, each running into the next."""

    def run(image: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(image)
        small = picture.resize((number, number), Image.Resampling.BOX)
        return np.asarray(small.resize(picture.size, Image.Resampling.BICUBIC))

    return np.stack([run(image) for image in images])


def plain_noise(images: np.ndarray, levels: int, random: np.random.Generator) -> np.ndarray:
    """Noise in place of pictures: every value of every pixel equally likely."""
    return random.integers(0, levels + 1, images.shape, dtype=np.uint8)


def exchanged(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Class ids, of which a share is another class's: the next one's, the first one's after the last."""
    known = np.unique(labels)
    rows = np.random.default_rng([seed, 1]).permutation(len(labels))[: round(share * len(labels))]
    result = labels.copy()
    result[rows] = known[(np.searchsorted(known, labels[rows]) + 1) % len(known)]
    return result


def rounded(values: np.ndarray) -> np.ndarray:
    """Values as those of a picture."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
