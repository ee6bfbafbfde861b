"""Phase "evaluate", before samples: what a judge sees in real pictures, and whether it can be trusted with others.

A judge is judged by held-out real pictures that are made worse in known steps (`degradations`), at the number of
pictures that samples are scored with. A step is seen by a score that is worse than all but one in a hundred draws of
unharmed pictures would score. A score fails, and is not to be relied on, where the judge takes pictures that show
nothing for good ones (`failures`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.special import stdtrit
from torch import Tensor

from finefit import judges
from finefit.data import sources
from finefit.evaluation import degradations, scores
from finefit.evaluation.degradations import Pool
from finefit.evaluation.pictures import chosen, of_split
from finefit.evaluation.real import Real
from finefit.hierarchy.superclasses import superclass_of
from finefit.jobs.arrays import OnDisk, gathered
from finefit.jobs.finite import require_finite
from finefit.jobs.job import Job
from finefit.jobs.parts import timed
from finefit.judges import UNHARMED
from finefit.metrics import head, manifold
from finefit.metrics.frechet import frechet_distance
from finefit.metrics.kernel import class_distances, squared_discrepancy
from finefit.metrics.probe import Images, in_batches

MOST = 1024  # pictures of a step
DRAWS = 10  # of unharmed pictures
LEVEL = 0.01  # of draws of unharmed pictures are taken for harmed ones
KNOWN = 0.75  # of held-out pictures' classes must be told by a head on the features of a judge that is to be trusted
KEYS = ["degradation", "step", "destroyed"]
FIDELITY = ("precision", "recall", "density", "coverage")
LABELS_ALONE = ("classes exchanged", "copies of training pictures")  # what no picture by itself shows
DISTANCES = ("fd", "kd", "class_kd", "memorised")  # larger is worse; of the others smaller is


def build(job: Job, out: Path, scratch: Path) -> None:
    """See real pictures with a judge, and judge it.

    Writes the features, labels and head of `Real`, `known.csv` (of each class's held-out pictures, how many and which
    share the head names), `judged.csv` (a row of scores per draw and per step), `seen.csv` (per degradation and score
    the mildest step that is seen) and `judge.json`.
    """
    features = network(job)
    data, settings = job.inputs["data"], job.settings
    classes = len(superclass_of(job.inputs["hierarchy"]))
    (train, train_labels), (test, test_labels) = (
        of_split(data, split, settings["resolution"]) for split in ("train", "test")
    )

    def see(images: Tensor | np.ndarray) -> np.ndarray:
        return in_batches(features, torch.as_tensor(images)).numpy()

    seen_train = features_of(features, train, scratch / "train", "training pictures seen")
    seen_test = features_of(features, test, scratch / "test", "test pictures seen")
    fitted = head.fit(seen_train, train_labels.numpy(), classes)
    real = Real(seen_test, test_labels.numpy(), seen_train, fitted, manifold.gaps(seen_test, seen_train))
    real.save(out)
    right = pd.Series(fitted.classes_of(real.features) == real.labels).groupby(real.labels)
    known = pd.DataFrame({"pictures": right.size(), "known": right.mean()}).rename_axis("class_id")
    known.to_csv(out / "known.csv")
    result = {
        "judge": settings["judge"],
        "known": float((fitted.classes_of(real.features) == real.labels).mean()),
        "wanted": KNOWN,
        "copies": int(manifold.copied(real.gaps, real.features).sum()),
        "pictures": min(settings["per_class"] * classes, len(test) // 2, MOST),
    }
    pools = Pool(test, real.labels), Pool(train, train_labels.numpy())
    judged = table(see, real, *pools, result["pictures"]) if result["pictures"] > 1 else pd.DataFrame(columns=KEYS)
    judged.to_csv(out / "judged.csv", index=False)
    seen(judged).to_csv(out / "seen.csv", index=False)
    (out / "judge.json").write_text(
        json.dumps(result | {"failures": failures(judged, result["known"])}, indent=1) + "\n"
    )


def features_of(see: judges.Features, images: Images, folder: Path, what: str) -> OnDisk:
    """What a judge sees in pictures of any number, `[n, d]` in a file; goes on where it was interrupted.

    Raises:
        ValueError: a feature is not finite.
    """

    def make(rows: slice) -> dict[str, np.ndarray]:
        pictures = images[rows]
        with timed("pictures seen", len(pictures)):
            found = see(pictures).numpy()
        require_finite(f"features of pictures from number {rows.start} on ({what})", found)
        return {"features": found}

    return gathered(folder, len(images), make, what)["features"]


def network(job: Job) -> judges.Features:
    """The network of a "judge" job: from the sources table, or the one that the study's reference trained."""
    name, row = job.settings["judge"], job.settings.get("weights")
    return judges.load(
        name, sources.fetch(row["name"]) if row else job.inputs["reference"].path / f"{name}.safetensors"
    )


def table(
    see: Callable[[Tensor | np.ndarray], np.ndarray], real: Real, test: Pool, train: Pool, count: int
) -> pd.DataFrame:
    """Scores of `count` pictures beside as many real ones: of every draw of unharmed ones, then of every degradation.

    Columns `degradation`, `step`, `destroyed`, and a score each. Held-out pictures are split at random into those that
    are compared with and those that are harmed. What few pictures cannot tell is nan.
    """
    rows = []
    for draw in range(DRAWS):
        order = np.random.default_rng(draw).permutation(len(real.labels))
        beside, mine = part(real, order[:count]), part(real, order[count : 2 * count])
        found = measured(mine.features, mine.labels, mine.gaps, beside)
        rows.append({"degradation": UNHARMED, "step": f"draw {draw + 1}", "destroyed": False} | found)
    order = np.random.default_rng(0).permutation(len(real.labels))
    beside, rest = part(real, order[:count]), order[count:]
    for one in degradations.every(Pool(chosen((test.images, rest)), test.labels[rest]), train, count):
        features = see(one.images)
        found = measured(features, one.labels, manifold.gaps(features, real.train), beside)
        rows.append({"degradation": one.name, "step": one.step, "destroyed": one.destroyed} | found)
    return pd.DataFrame(rows)


def part(real: Real, rows: np.ndarray) -> Real:
    """The real pictures of some rows."""
    return Real(real.features[rows], real.labels[rows], real.train, real.head, real.gaps[rows])


def measured(features: np.ndarray, labels: np.ndarray, gaps: np.ndarray, beside: Real) -> dict[str, float]:
    """The scores of two or more pictures beside as many real ones; nan for those that so few do not have."""
    by_class = class_distances(features, labels, beside.features, beside.labels, len(beside.head.biases))
    return {
        "fd": frechet_distance(features, beside.features),
        "kd": squared_discrepancy(features, beside.features),
        **scores.taken(scores.neighbourhoods(lambda: (beside.features[:], features))),
        **scores.taken({"memorised": lambda: scores.memorised(gaps, beside)}),
        "class_accuracy": float((beside.head.classes_of(features) == labels).mean()),
        "class_kd": np.nan if np.isnan(by_class).all() else float(np.nanmean(by_class)),
    }


def seen(judged: pd.DataFrame) -> pd.DataFrame:
    """Per degradation and score: from which step on all are seen, and whether no step undoes a milder one.

    `mildest` is empty where the last step is not seen; `rises` allows for what chance makes of unharmed pictures.
    """
    unharmed, rows = judged[judged["degradation"] == UNHARMED], []
    for name, steps in judged[judged["degradation"] != UNHARMED].groupby("degradation", sort=False):
        for score in scores_of(judged):
            sign = 1 if score in DISTANCES else -1
            draws, values = sign * unharmed[score].to_numpy(), sign * steps[score].to_numpy()
            reach = chance(draws)
            visible = values > draws.mean() + reach
            last_hidden = max(np.flatnonzero(~visible), default=-1)
            mildest = steps["step"].iloc[last_hidden + 1] if last_hidden + 1 < len(steps) else ""
            rises = bool((np.maximum.accumulate(values) - values <= reach).all())
            rows.append({"degradation": name, "score": score, "mildest": mildest, "rises": rises})
    return pd.DataFrame(rows, columns=["degradation", "score", "mildest", "rises"])


def chance(draws: np.ndarray) -> float:
    """How far above the mean of these draws another one lies with probability `LEVEL` (Student's prediction bound)."""
    freedom = len(draws) - 1
    return float(stdtrit(freedom, 1 - LEVEL) * draws.std(ddof=1) * np.sqrt(1 + 1 / len(draws)))


def scores_of(judged: pd.DataFrame) -> list[str]:
    """The columns of a table of `table` that hold scores."""
    return [name for name in judged.columns if name not in KEYS]


def failures(judged: pd.DataFrame, known: float) -> dict[str, str]:
    """Why scores of this judge are not to be relied on, by score; empty for a judge that has earned trust.

    Pictures that show nothing (noise, blots, pieces shuffled) must lie further from real ones than the first step of
    every degradation, which changes little of a picture; and of the real pictures' own precision, recall, density and
    coverage they may keep half at most. A judge whose features do not tell the real pictures' classes fails altogether.
    """
    if known < KNOWN:
        reason = f"a head on its features names {known:.0%} of held-out real pictures; {KNOWN:.0%} are asked for"
        return dict.fromkeys([*judges.SCORES, "class_kd"], reason)
    unharmed = judged[judged["degradation"] == UNHARMED].mean(numeric_only=True)
    harmed = judged[(judged["degradation"] != UNHARMED) & ~judged["destroyed"].astype(bool)]
    first = harmed[~harmed["degradation"].isin(LABELS_ALONE)].groupby("degradation", sort=False).first()
    reasons: dict[str, str] = {}
    for _, row in judged[judged["destroyed"].astype(bool)].iterrows():
        for score in ("fd", "kd"):
            further = first[first[score] >= row[score]]
            if len(further):
                like = f"{further.index[0]} ({further['step'].iloc[0]}) {digits(further[score].iloc[0])}"
                reasons.setdefault(score, f"{row['degradation']} scores {digits(row[score])}, {like}")
        for score in FIDELITY:
            if row[score] > unharmed[score] / 2:
                like = f"real pictures {unharmed[score]:.2f}"
                reasons.setdefault(score, f"{row['degradation']} scores {row[score]:.2f}, {like}")
    return reasons


def digits(value: float) -> str:
    """A distance with three significant digits, never in powers of ten."""
    return np.format_float_positional(value, 3, unique=False, fractional=False, trim="-")
