"""Edges of a picture, a ControlNet's default condition: Canny's detector (1986), as its steps are published."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SIGMA, LOW, HIGH = 1.4, 0.1, 0.2  # pixels; thresholds as shares of the steepest slope that 0 to 1 can have


def edges(picture: np.ndarray) -> np.ndarray:
    """Edges one pixel wide: uint8 `[h, w]`, 255 on an edge, of a uint8 picture `[h, w, 3]`.

    Smoothing; slopes, of the colour with the steepest; only what is steepest across its own direction; of the weak ones
    those that touch a strong one.
    """
    smooth = ndimage.gaussian_filter(picture / 255.0, (SIGMA, SIGMA, 0), mode="nearest")
    slopes = np.stack([ndimage.sobel(smooth, axis, mode="nearest") / 4 for axis in (0, 1)])
    strongest = np.hypot(*slopes).argmax(axis=2)[None, :, :, None]
    down, right = np.take_along_axis(slopes, strongest, axis=3)[..., 0]
    slope = np.hypot(down, right)
    sector = np.round(np.arctan2(down, right) / (np.pi / 4)).astype(int) % 4
    framed = np.pad(slope, 1)
    steepest = np.zeros(slope.shape, bool)
    height, width = slope.shape
    for number, (dy, dx) in enumerate([(0, 1), (1, 1), (1, 0), (1, -1)]):
        ahead = framed[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        behind = framed[1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        steepest |= (sector == number) & (slope > ahead) & (slope >= behind)
    weak, strong = steepest & (slope > LOW), steepest & (slope > HIGH)
    label, count = ndimage.label(weak, np.ones((3, 3)))
    kept = np.zeros(count + 1, bool)
    kept[label[strong]] = True
    return np.where(kept[label] & weak, 255, 0).astype(np.uint8)
