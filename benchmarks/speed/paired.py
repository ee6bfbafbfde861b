"""Two kept studies that differ in one thing, pair by pair: what that thing does to each score.

    python -m benchmarks.speed.paired benchmarks/results/float32 docs/results/mini --json precision.json

A pair is one method at one seed in both. A difference is the second study's score minus the first's, averaged over
pairs, with a 95 % interval (Student's, over pairs); it says nothing of methods that are not in both.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

SCORES = [
    "fd_probe",
    "kid_probe",
    "precision_probe",
    "recall_probe",
    "diversity_probe",
    "class_accuracy",
    "denoising_loss",
]
PAIR = ["group", "variant", "guidance", "scale", "seed"]


def paired(first: Path, second: Path) -> pd.DataFrame:
    """The scores of all runs that both folders have, with suffixes `_first` and `_second`.

    Raises:
        ValueError: they have none in common.
    """
    tables = [pd.read_csv(folder / "seeds.csv", keep_default_na=False, na_values=[""]) for folder in (first, second)]
    joined = tables[0].merge(tables[1], on=PAIR, suffixes=("_first", "_second"))
    if joined.empty:
        raise ValueError(f"{first} and {second}: no method, seed, guidance and scale in common")
    return joined


def summary(differences: np.ndarray) -> dict[str, float]:
    """Mean of differences `[n]`, half of its 95 % interval, and the standard deviation of one."""
    half = stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences)
    return {"mean": float(differences.mean()), "half": float(half), "deviation": float(differences.std(ddof=1))}


def main() -> None:
    """Print a row for each score and, with --json, write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, help="a kept study's folder")
    parser.add_argument("second", type=Path, help="another's")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    joined = paired(given.first, given.second)
    rows = []
    for score in SCORES:
        before, after = joined[f"{score}_first"], joined[f"{score}_second"]
        row = {"score": score, "first": float(before.mean()), "second": float(after.mean())}
        row |= {"difference": summary((after - before).to_numpy())}
        row |= {"methods": (after - before).groupby(joined["variant"]).mean().to_dict()}
        rows.append(row)
        difference = row["difference"]
        print(f"{score:>16}: {row['first']:.5g} -> {row['second']:.5g}", end="  ")
        print(f"{difference['mean']:+.2g} +- {difference['half']:.2g} over {len(joined)} pairs")
    if given.json:
        found = {"first": given.first.name, "second": given.second.name, "pairs": len(joined), "rows": rows}
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
