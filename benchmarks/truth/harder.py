"""How many classes make drawings hard to tell apart from few pictures: what the study `utility` asks its question of.

`python -m benchmarks.truth.harder`. Samples can only help a classifier that real pictures alone leave something to
learn. With mini's sixteen classes they leave nothing, however few they are. So on a sibling set (other classes: `SEED`)
the study's classifier is trained on real pictures alone, of ever more classes. The study takes the first number of
classes of which the mean of two classifiers names `MOST` or less of held-out pictures.
"""

from __future__ import annotations

import json

import torch

from benchmarks.speed.tables import RESULTS
from finefit.datasets import embedded
from finefit.evaluation.utility import WIDTH
from finefit.metrics import probe

SEED = 1  # of the classes; the study's are of 0
CLASSES = (16, 32, 64, 128, 256)
TRAIN, RAREST, TEST, SHIFT = 8, 2, 16, 0.5  # pictures of the first class and of the last, of every class's test, style
STEPS, CLASSIFIERS = 300, 2
MOST = 0.85
SIDE = 32


def main() -> None:
    """Print and keep the share that is named for each number of classes, up to the first that is hard enough."""
    torch.set_num_threads(1)  # as jobs have; more wait for each other where the machine is busy
    told = []
    for classes in CLASSES:
        found = named(classes)
        told.append({"classes": classes, "named": found})
        enough = sum(found) / len(found) <= MOST
        print(f"{classes} classes: {', '.join(f'{share:.1%}' for share in found)}" + " <- hard enough" * enough)
        if enough:
            break
    kept = {"train": TRAIN, "rarest": RAREST, "steps": STEPS, "seed": SEED, "found": told}
    (RESULTS / "harder.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def named(classes: int) -> list[float]:
    """The share of held-out pictures whose class each classifier names that saw real training pictures alone."""
    drawn = {"train_per_class": TRAIN, "rarest": RAREST, "test_per_class": TEST, "shift": SHIFT, "seed": SEED}
    settings = embedded.Settings(classes=classes, **drawn)
    rows, names = embedded.index(settings, None), list(embedded.taxonomy(settings, None)["class_name"])
    labels = torch.tensor([names.index(name) for name in rows["class_name"]])
    images = torch.from_numpy(embedded.read(rows, SIDE, settings, None))
    train = torch.tensor((rows["split"] == "train").to_numpy())
    shares = []
    for seed in range(CLASSIFIERS):
        classifier = probe.fit(images[train], labels[train], classes, STEPS, seed, WIDTH)
        right = probe.in_batches(classifier, images[~train]).argmax(1) == labels[~train]
        shares.append(float(right.float().mean()))
    return shares


if __name__ == "__main__":
    main()
