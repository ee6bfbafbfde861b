"""Phase "utility": what generated pictures are worth to a classifier that is asked about real ones.

The same small classifier is trained on real training pictures, on generated ones alone, and on both, for the same
number of steps, and names the same held-out real pictures. A job is one training of the classifiers for one seed of
the study: on real pictures, which every method is compared with under that seed, or with one run's pictures.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from finefit.evaluation.pictures import chosen, of_samples, of_split
from finefit.jobs import readers
from finefit.jobs.job import Job
from finefit.jobs.whole import whole
from finefit.metrics import probe
from finefit.metrics.probe import Images

WIDTH = 24  # channels of the classifier's first level, as the study's other one has
REAL, SAMPLES = "real", "samples"
SEEDS_APART = 1000  # between the classifiers of two seeds of the study: none is used twice


def build(job: Job, out: Path, scratch: Path) -> None:
    """Write `utility.csv`: for every training set, classifier and class the test pictures and those named rightly.

    Its columns: `trained_on` ("real", "samples", "1:1", ...), `classifier`, `class_id`, `train` (real training pictures
    of the class), `pictures`, `right`. A training that is finished outlives a kill.

    Raises:
        ValueError: there are fewer samples of a class than a ratio asks for.
    """
    settings, data = job.settings, job.inputs["data"]
    train, labels = of_split(data, "train", settings["resolution"])
    test, test_labels = of_split(data, "test", settings["resolution"])
    counts = torch.bincount(labels)
    sets: dict[str, tuple[Images, Tensor]] = {REAL: (train, labels)}
    if "sample" in job.inputs:
        sets = with_samples(train, labels, *of_samples(job.inputs["sample"]), settings["ratios"])
    tables = []
    for name, (images, named) in sets.items():
        for number in range(settings["classifiers"]):
            part = scratch / f"{name.replace(':', '-')}-{number}.csv"
            if not part.exists():
                seed = SEEDS_APART * settings["seed"] + number
                judge = probe.fit(images, named, len(counts), settings["steps"], seed, WIDTH)
                right = probe.in_batches(judge, test).argmax(1) == test_labels
                table = by_class(right, test_labels, counts).assign(trained_on=name, classifier=number)
                with whole(part) as partial:
                    table.to_csv(partial, index=False)
            tables.append(readers.table(part))
    pd.concat(tables).to_csv(out / "utility.csv", index=False)


def with_samples(
    train: Images, labels: Tensor, images: Images, sample_labels: Tensor, ratios: list[int]
) -> dict[str, tuple[Images, Tensor]]:
    """The training sets that hold samples: alone, at the largest ratio, and with the real pictures at every ratio.

    Args:
        train, labels: real training pictures and their class ids.
        images, sample_labels: samples and the classes they were asked for.
        ratios: generated pictures for each real one of the same class.
    """
    taken = {ratio: first_of_each(sample_labels, ratio * torch.bincount(labels)) for ratio in ratios}
    sets: dict[str, tuple[Images, Tensor]] = {
        SAMPLES: (chosen((images, taken[max(ratios)])), sample_labels[taken[max(ratios)]])
    }
    for ratio, rows in taken.items():
        both = chosen((train, torch.arange(len(labels))), (images, rows))
        sets[f"1:{ratio}"] = (both, torch.cat([labels, sample_labels[rows]]))
    return sets


def first_of_each(labels: Tensor, counts: Tensor) -> Tensor:
    """Row numbers of the first `counts[c]` rows of every class c.

    Raises:
        ValueError: a class has fewer.
    """
    rows = []
    for label, count in enumerate(counts.tolist()):
        members = torch.nonzero(labels == label).flatten()
        if len(members) < count:
            raise ValueError(
                f"utility.per_class: class {label} has {len(members)} samples, and {count} are asked for: its training "
                "pictures times the largest ratio; raise it"
            )
        rows.append(members[:count])
    return torch.cat(rows)


def by_class(right: Tensor, labels: Tensor, counts: Tensor) -> pd.DataFrame:
    """A row per class: its real training pictures, its test pictures, and those named rightly."""
    classes = len(counts)
    return pd.DataFrame(
        {
            "class_id": range(classes),
            "train": counts.numpy(),
            "pictures": torch.bincount(labels, minlength=classes).numpy(),
            "right": torch.bincount(labels[right], minlength=classes).numpy(),
        }
    )
