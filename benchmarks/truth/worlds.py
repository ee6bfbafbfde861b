"""How far apart the embedded pictures of two domains lie, for docs/data.md: `python -m benchmarks.truth.worlds`.

Holes: in each superclass the distance of the classes that the mini study asks for from the nearest fine class of the
source, with and without the holes that are left around targets, beside how far the source's own classes lie from each
other. Distances as in `finefit.procedural.holes`.

Shift: how many test pictures of the mini study's classes a classifier names at growing shifts, one that was trained
without a shift and one that was trained at the same shift. The first says how far the pictures move, the second that
classes stay apart.
"""

from __future__ import annotations

import json

import numpy as np
import torch

from benchmarks.speed.packs import hardware
from benchmarks.speed.tables import RESULTS, rewrite
from finefit.datasets.embedded import (
    DOMAINS,
    RESERVED_CLASSES,
    RESERVED_SEEDS,
    Settings,
    index,
    points_of,
    read,
    taxonomy,
)
from finefit.metrics import probe
from finefit.procedural import SUPERCLASSES
from finefit.procedural.dice import keys
from finefit.procedural.holes import distances, spacing
from finefit.procedural.traits import spread

FINE, CLASSES = 1024, 16  # as studies/base.yaml and params.yaml say
SHIFTS = (0.0, 0.25, 0.5, 0.75, 1.0)
RESOLUTION, STEPS, WIDTH = 32, 400, 32


def holes() -> list[dict]:
    """A row per superclass."""
    rows = []
    for place, (name, scene) in enumerate(SUPERCLASSES.items()):
        source, targets = points_of("source", name, FINE, 0), points_of("target", name, CLASSES, 0)
        reserved = [points_of("target", name, RESERVED_CLASSES, seed) for seed in range(RESERVED_SEEDS)]
        whole = spread(len(scene.traits), len(source), keys(0, place, DOMAINS.index("source")))
        rows.append(
            {
                "superclass": name,
                "traits": len(scene.traits),
                "hole": spacing(scene.traits, whole),
                "source_spacing": spacing(scene.traits, source),
                "mini_without_holes": distances(scene.traits, targets, whole).min(axis=1).tolist(),
                "mini": distances(scene.traits, targets, source).min(axis=1).tolist(),
                "nearest_of_reserved": float(distances(scene.traits, np.concatenate(reserved), source).min()),
            }
        )
    return rows


def pictures(shift: float, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of the mini study's classes, and the numbers of their classes."""
    settings = Settings(classes=CLASSES, shift=shift)
    rows = index(settings, None).query("split == @split")
    names = taxonomy(settings, None)["class_name"].tolist()
    labels = torch.tensor([names.index(name) for name in rows["class_name"]])
    return torch.from_numpy(read(rows, RESOLUTION, settings, None)), labels


def shift() -> list[dict]:
    """A row per shift."""
    rows, plain = [], None
    for amount in SHIFTS:
        images, labels = pictures(amount, "test")
        own = probe.fit(*pictures(amount, "train"), CLASSES, STEPS, seed=0, width=WIDTH)
        plain = plain or (own, images)
        named = [
            (probe.in_batches(judge, images).argmax(1) == labels).float().mean().item() for judge in (plain[0], own)
        ]
        moved = (images.float() - plain[1].float()).abs().mean().item()
        rows.append({"shift": amount, "moved": moved, "named_without_shift": named[0], "named_at_shift": named[1]})
    return rows


def main() -> None:
    """Measure, keep the numbers, and write the tables anew."""
    torch.set_num_threads(1)
    for name, found in {"holes": {"rows": holes()}, "shift": {"machine": hardware(), "rows": shift()}}.items():
        (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    rewrite()


if __name__ == "__main__":
    main()
