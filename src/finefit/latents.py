"""Packs of latents: few large half-precision files and an index, read by memory map.

A pack is a folder: `index.json`, `labels.npy` (int64 `[count]`) and shards `mean-00000.npy` (float16
`[rows, 2, c, h, w]`, both flips of each picture), with `deviation-00000.npy` beside each where the codec's posterior
has one. Half a million pictures make tens of files. Scaling to unit variance is the codec's matter.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from finefit import codecs
from finefit.codecs import Codec
from finefit.progress import progress

if TYPE_CHECKING:
    from finefit.plan import Job

SHARD_ROWS = 16_384
BATCH = 256


def build(job: Job, out: Path, scratch: Path) -> None:
    """Phase "latents": encode the training pictures of a data set at one resolution."""
    from finefit.taxonomy import read_index, read_pictures  # not above: a machine that only trains has no pandas

    data, resolution = job.inputs["data"], job.settings["resolution"]
    rows = read_index(data, "train")
    codec = codecs.load(job.settings["codec"])
    pack(
        scratch / "pack",
        lambda start, stop: read_pictures(data, rows.iloc[start:stop], resolution),
        rows["class_id"].to_numpy(),
        codec,
    )
    for file in (scratch / "pack").iterdir():
        file.rename(out / file.name)


def pack(
    folder: Path, read: Callable[[int, int], np.ndarray], labels: np.ndarray, codec: Codec, device: str = "cpu"
) -> None:
    """Encode `len(labels)` pictures, unflipped and flipped, into the pack `folder`; continues one that was cut short.

    Args:
        folder: where to write; complete shards found there are kept.
        read: `read(start, stop)` gives pictures as uint8 `[stop - start, h, w, 3]`.
        labels: int64 `[count]`, each picture's class.
        codec: a codec of `finefit.codecs`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count, shards = len(labels), range(0, len(labels), SHARD_ROWS)
    for number, first in enumerate(progress(shards, "encoding shards")):
        target = folder / f"mean-{number:05d}.npy"
        if target.exists():
            continue
        last = min(first + SHARD_ROWS, count)
        means, deviations = [], []
        for start in range(first, last, BATCH):
            mean, deviation = encode_flips(codec, read(start, min(start + BATCH, last)), device)
            means.append(mean)
            deviations += [] if deviation is None else [deviation]
        if deviations:
            save_atomically(folder / f"deviation-{number:05d}.npy", np.concatenate(deviations))
        save_atomically(target, np.concatenate(means))  # last, because its presence says that the shard is whole
    save_atomically(folder / "labels.npy", labels.astype(np.int64))
    index = {"count": count, "shard_rows": SHARD_ROWS, "shards": len(shards)}
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")


@torch.no_grad()
def encode_flips(codec: Codec, images: np.ndarray, device: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Mean and deviation (None where zero) of pictures and mirror pictures: float16 `[n, 2, c, h, w]`."""
    pictures = torch.tensor(images, device=device)
    halves = [codec.encode(view) for view in (pictures, pictures.flip(2))]
    mean, deviation = (
        None if part[0] is None else torch.stack(part, 1).half().cpu().numpy() for part in zip(*halves, strict=True)
    )
    return mean, deviation


def save_atomically(path: Path, array: np.ndarray) -> None:
    """Write a .npy file that is either whole or absent."""
    partial = path.with_suffix(".partial")
    with open(partial, "wb") as file:
        np.save(file, array)
    partial.replace(path)


class Pack:
    """A pack opened for reading; nothing is loaded until rows are asked for."""

    def __init__(self, folder: Path):
        index = json.loads((folder / "index.json").read_text())
        self.count, self.shard_rows = index["count"], index["shard_rows"]
        self.labels = torch.from_numpy(np.load(folder / "labels.npy"))
        self.means = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("mean-*.npy"))]
        self.deviations = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("deviation-*.npy"))]
        self.shape = self.means[0].shape[2:]

    def sample(self, rows: np.ndarray, flips: np.ndarray, noise: Tensor) -> Tensor:
        """Posterior samples of the given rows and flips (0 or 1): float32 `[n, c, h, w]`, `noise` of the same shape."""
        mean = torch.from_numpy(self.gather(self.means, rows, flips)).float()
        if not self.deviations:
            return mean
        return mean + noise * torch.from_numpy(self.gather(self.deviations, rows, flips)).float()

    def gather(self, shards: list[np.ndarray], rows: np.ndarray, flips: np.ndarray) -> np.ndarray:
        """Chosen views out of the shards, in the order asked, float16 `[n, c, h, w]`."""
        out = np.empty((len(rows), *self.shape), np.float16)
        for number in np.unique(rows // self.shard_rows):
            here = rows // self.shard_rows == number
            out[here] = shards[number][rows[here] % self.shard_rows, flips[here]]
        return out
