"""Which ImageNet network, seeing pictures at which side, notices most of what is done to real pictures.

    FINEFIT_MIRROR=... python -m benchmarks.truth.judges --json benchmarks/results/judges.json

Every candidate is judged as a study's judges are (`finefit.evaluation.judge.table`) on three sets, and chosen by the
rule of docs/results/judge/README.md. A row is kept as soon as it is measured: repeat the command, and it goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from finefit import datasets
from finefit.data import sources
from finefit.data.archives import unpacked
from finefit.evaluation import judge
from finefit.evaluation.degradations import Pool
from finefit.evaluation.real import Real
from finefit.judges import efficientnet
from finefit.metrics import head, manifold

SETS = {
    "drawings": ("embedded", {"classes": 16, "train_per_class": 128, "test_per_class": 64, "shift": 0.5}),
    "grocery": ("grocery", {}),
    "caltech101": ("caltech101", {"archive": "caltech101-128"}),
}
LITE0, LITE1, LITE2 = efficientnet.SIZES
# Pictures of so many pixels: sets, and candidates by network and side. A study has one judge: the network is chosen on
# the smallest pictures, and for larger ones its side alone.
TRIALS = {
    32: (tuple(SETS), [(LITE0, 64), (LITE0, 96), (LITE0, 128), (LITE1, 96), (LITE2, 96)]),
    64: (tuple(SETS), [(LITE1, 96), (LITE1, 128)]),
    128: (("grocery", "caltech101"), [(LITE1, 128), (LITE1, 240)]),
}
COUNT, PER_CLASS, TEST = 96, 12, 4 * 96  # pictures of a step; training pictures of a class; test pictures
HEAD_SHARE = 0.03  # what a head may name less than the best


def main() -> None:
    """Measure what is missing, then print the tables and what the rule chooses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where rows are kept")
    file = parser.parse_args().json
    rows = json.loads(file.read_text()) if file.exists() else []
    done = {(row["pixels"], row["set"], row["judge"], row["side"]) for row in rows}
    torch.set_num_threads(1)
    for pixels, (names, candidates) in TRIALS.items():
        for name in names:
            wanted = [one for one in candidates if (pixels, name, *one) not in done]
            if not wanted:
                continue
            real = pictures(name, pixels)
            for network, side in wanted:
                found = {"pixels": pixels, "set": name, "judge": network, "side": side}
                rows.append(found | measured(network, side, *real))
                file.write_text(json.dumps(rows, indent=1) + "\n")
                print(rows[-1], flush=True)
    for pixels in TRIALS:
        part = pd.DataFrame([row for row in rows if row["pixels"] == pixels])
        print(f"\n{pixels} pixels\n{part.drop(columns='pixels').to_string(index=False)}\nchosen: {chosen(part)}")


def pictures(name: str, pixels: int) -> tuple[Pool, Pool]:
    """Training and test pictures of a set, the same for every candidate."""
    reader, options = datasets.find(SETS[name][0]), SETS[name][1]
    settings = reader.Settings(**options)
    rows = reader.sources(settings)
    folder = unpacked(tuple(rows)) if rows else None
    index = reader.index(settings, folder).sample(frac=1, random_state=0)
    index["class_id"] = index["class_name"].astype("category").cat.codes.astype(int)
    train = index[index["split"] == "train"].groupby("class_id").head(PER_CLASS)
    test = index[index["split"] == "test"].head(TEST)
    return tuple(
        Pool(reader.read(part, pixels, settings, folder), part["class_id"].to_numpy()) for part in (train, test)
    )


def measured(name: str, side: int, train: Pool, test: Pool) -> dict[str, float]:
    """Of a candidate: classes named, steps that its distances see, what it takes for good, pictures a second."""
    features = efficientnet.load(name, sources.fetch(name), side)

    def see(images: np.ndarray) -> np.ndarray:
        return features(torch.as_tensor(np.asarray(images))).numpy()

    start = time.process_time()
    seen_train = see(train.images)
    seconds = time.process_time() - start
    seen_test = see(test.images)
    fitted = head.fit(seen_train, train.labels, int(train.labels.max()) + 1)
    real = Real(seen_test, test.labels, seen_train, fitted, manifold.gaps(seen_test, seen_train))
    known = float((fitted.classes_of(real.features) == real.labels).mean())
    table = judge.table(see, real, test, train, COUNT)
    return {
        "known": round(known, 4),
        **{f"steps_{score}": steps(table, score) for score in ("fd", "kd", "class_accuracy")},
        "fails": judge.failures(table, 1.0).get("fd", ""),
        "operations": efficientnet.operations(name, side),
        "pictures_per_second": round(len(train.images) / seconds, 1),
    }


def steps(table: pd.DataFrame, score: str) -> int:
    """Steps of all degradations that a score sees, each from its mildest seen one on."""
    found = judge.seen(table)
    mildest = found[found["score"] == score].set_index("degradation")["mildest"]
    count = 0
    for name, part in table[table["degradation"] != judge.UNHARMED].groupby("degradation", sort=False):
        order = part["step"].tolist()
        count += len(order) - order.index(mildest[name]) if mildest[name] else 0
    return count


def chosen(rows: pd.DataFrame) -> str:
    """What the rule chooses among candidates of one size of pictures."""
    kept = rows[~rows.groupby(["judge", "side"])["fails"].transform(lambda found: (found != "").any())]
    if kept.empty:
        return "none"
    by = kept.groupby(["judge", "side"]).agg(
        steps=("steps_fd", "sum"), known=("known", "mean"), operations=("operations", "first")
    )
    by = by[by["steps"] >= by["steps"].max() - rows["set"].nunique()]
    by = by[by["known"] >= by["known"].max() - HEAD_SHARE]
    network, side = by["operations"].idxmin()
    return f"{network} at {side} pixels"


if __name__ == "__main__":
    main()
