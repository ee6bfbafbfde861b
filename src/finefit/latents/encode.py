"""Packs of latents: few large half-precision files and an index.

A pack is a folder: `index.json`, `labels.npy` (int64 `[count]`) and shards `latents-00000.npy` (float16
`[rows, 2, parts, c, h, w]`): of both flips of each picture the posterior's mean and, where the codec has one, its
deviation. What a training step wants of a picture lies in one piece, and half a million pictures make tens of files.
Scaling to unit variance is the codec's matter, and the artifact's provenance holds every shard's checksum. Reading is
in `finefit.latents.pack`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from finefit import codecs
from finefit.codecs import Codec
from finefit.jobs import borders
from finefit.jobs.devices import device_here
from finefit.jobs.finite import require_finite
from finefit.jobs.locks import claimed
from finefit.jobs.parts import timed
from finefit.jobs.progress import progress
from finefit.jobs.whole import whole

if TYPE_CHECKING:
    from finefit.jobs.job import Job

SHARD_ROWS = 16_384
BATCH = 256
SECONDS_BETWEEN_LOOKS = 1.0  # at the shards that other processes encode


def build(job: Job, out: Path, scratch: Path) -> None:
    """Phase "latents": encode the training pictures of a data set at one resolution, on every GPU of the machine."""
    (scratch / "pack").mkdir(exist_ok=True)
    helpers = [torch.multiprocessing.get_context("spawn").Process(target=encode, args=(job, scratch, f"cuda:{number}"))
               for number in range(1, torch.cuda.device_count())]  # fmt: skip
    for helper in helpers:
        helper.start()
    encode(job, scratch, device_here(), finish=True)
    for helper in helpers:
        helper.join()
    (scratch / "pack").rename(out)  # at once, so that a helper finds the pack whole or nowhere


def encode(job: Job, scratch: Path, device: str, finish: bool = False) -> None:
    """Take part in a job's encoding: shards that nobody else works on; with `finish`, until the pack is whole."""
    from finefit.hierarchy.index import read_index, read_pictures  # not above: a machine that only trains has no pandas

    data, resolution = job.inputs["data"], job.settings["resolution"]
    rows = read_index(data, "train")
    codec = codecs.load(job.settings["codec"]).to(device)

    def read(start: int, stop: int) -> np.ndarray:
        return read_pictures(data, rows.iloc[start:stop], resolution)

    pack(scratch / "pack", read, rows["class_id"].to_numpy(), codec, device, finish)


def pack(
    folder: Path,
    read: Callable[[int, int], np.ndarray],
    labels: np.ndarray,
    codec: Codec,
    device: str = "cpu",
    finish: bool = True,
) -> None:
    """Encode `len(labels)` pictures, unflipped and flipped, into the pack `folder`; several processes may help.

    Args:
        folder: where to write; complete shards found there are kept, so a pack that was cut short is continued.
        read: `read(start, stop)` gives pictures as uint8 `[stop - start, h, w, 3]`.
        labels: int64 `[count]`, each picture's class.
        codec: a codec of `finefit.codecs`.
        finish: wait for shards that other processes encode, and write labels and index.
    """
    if not finish and not folder.exists():  # whole already, and published
        return
    locks = folder.with_name(f"{folder.name}-locks")
    for place in (folder, locks):
        place.mkdir(parents=True, exist_ok=True)
    shards = range(-(-len(labels) // SHARD_ROWS))
    targets = {number: folder / f"latents-{number:05d}.npy" for number in shards}
    for target in targets.values():
        put_aside_if_cut_off(target)
    while missing := [number for number in shards if not targets[number].exists()]:
        taken = 0
        for number in missing:
            with claimed(locks / str(number)) as mine:
                if mine and not targets[number].exists():
                    rows = range(number * SHARD_ROWS, min((number + 1) * SHARD_ROWS, len(labels)))
                    encode_shard(
                        targets[number], rows, f"encoding shard {number + 1}/{len(shards)}", read, codec, device
                    )
                    taken += 1
        if not taken and not finish:
            return
        if not taken:
            time.sleep(SECONDS_BETWEEN_LOOKS)
    if finish:
        np.save(folder / "labels.npy", labels.astype(np.int64))
        index = {"count": len(labels), "shard_rows": SHARD_ROWS, "shards": len(shards)}
        (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")


def encode_shard(
    target: Path, rows: range, what: str, read: Callable[[int, int], np.ndarray], codec: Codec, device: str
) -> None:
    """Encode the pictures `rows` into the file `target`, which stands there only when it is whole."""
    with whole(target) as partial, open(partial, "wb") as shard:  # no memory map, whose writer a full disk kills
        for start in progress(range(rows.start, rows.stop, BATCH), f"{what}, batches"):
            stop = min(start + BATCH, rows.stop)
            with timed("pictures read", stop - start):
                pictures = read(start, stop)
            with timed("pictures encoded", 2 * (stop - start)):
                views = encode_flips(codec, pictures, device)
            require_finite(f"latents of pictures {start} to {stop - 1} in half precision", views)
            if start == rows.start:  # the first batch tells the shape
                head = np.lib.format.header_data_from_array_1_0(views) | {"shape": (len(rows), *views.shape[1:])}
                np.lib.format.write_array_header_1_0(shard, head)
            shard.write(np.ascontiguousarray(views).data)


def put_aside_if_cut_off(shard: Path) -> None:
    """Take away a shard that is shorter than its head says, as after a power failure, and tell."""
    if not shard.exists():
        return
    try:
        with borders.reading(shard, "cut off", "it is encoded anew"):
            np.load(shard, mmap_mode="r")
    except ValueError as error:
        print(error, file=sys.stderr)
        shard.unlink()


@torch.no_grad()
def encode_flips(codec: Codec, images: np.ndarray, device: str) -> np.ndarray:
    """Mean and, unless it is zero, deviation of pictures and mirror pictures: float16 `[n, 2, parts, c, h, w]`."""
    pictures = torch.tensor(images, device=device)
    flips = [codec.encode(view) for view in (pictures, pictures.flip(2))]
    views = [torch.stack([part for part in flip if part is not None], 1) for flip in flips]
    return torch.stack(views, 1).half().cpu().numpy()
