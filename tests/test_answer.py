"""Which method a study says to take, on invented results in which the right answer is known."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_up import MadeUpScores

from finefit.analysis import answer
from finefit.analysis.answer import Answer
from finefit.judges import column
from finefit.report import answers

SEEDS = range(5)
GROUP = "embedded-32"
NOISE = np.random.default_rng(1).normal(0, 1, (4, len(SEEDS)))
BETWEEN = np.array([3.0, -2.0, 0.5, 4.0, -1.0])  # what a seed does to all methods alike: far more than their own chance

# name: distance, bytes of its file, seconds of training, drift
METHODS = {
    "near": (2.0, 9_000_000, 100.0, 0.5),
    "small": (3.0, 90_000, 80.0, 0.3),
    "quick": (3.01, 120_000, 60.0, 0.3),
    "faithful": (4.0, 90_000, 80.0, 0.1),
}
SPREAD = {"fd_probe": 0.05, "train_seconds": 1.0, "drift": 0.01}


def invented(
    methods: dict[str, tuple[float, float, float, float]],
    spread: float = 1.0,
    seeds: int = 5,
    judges: tuple[str, ...] = ("probe",),
    guidances: tuple[str, ...] = ("null",),
) -> MadeUpScores:
    """A study's scores: each method's true value, what the seed does to all, and chance of its own times `spread`."""
    rows = []
    for place, (name, (distance, size, seconds, drift)) in enumerate(methods.items()):
        for seed in range(seeds):
            chance = {score: spread * own * NOISE[place, seed] for score, own in SPREAD.items()}
            run = {"group": GROUP, "entry": name, "scale": 1.5, "main": True, "seed": seed, "state": "done"}
            run |= {"delta_bytes": size, "trained_parameters": size / 4, "total_parameters": 1e7}
            run |= {"trained_share": size / 4e7, "train_peak_bytes": 1e9, "sample_seconds": 1.0}
            run |= {"train_seconds": seconds + chance["train_seconds"], "drift": drift + chance["drift"]}
            for extra, guidance in enumerate(guidances):
                variant = name if len(guidances) == 1 else f"{name}-{guidance}"
                found = distance + BETWEEN[seed] + chance["fd_probe"] + extra
                rows.append(run | {"variant": variant, "guidance": guidance, "fd_probe": found})
    study = SimpleNamespace(seeds=range(seeds), methods=methods, judges=lambda: list(judges))
    found = MadeUpScores(study, pd.DataFrame(rows))
    found.metrics = [*(column("fd", judge) for judge in judges), "drift"]
    return found


def told(found: MadeUpScores) -> dict[str, Answer]:
    return {one.end: one for one in answer.answers(found, GROUP)}


def names(rows: list[pd.Series]) -> set[str]:
    return {row["variant"] for row in rows}


def test_every_end_has_the_method_that_is_best_at_it():
    found = told(invented(METHODS))
    assert {end: one.best["variant"] for end, one in found.items()} == {
        "nearest pictures": "near",
        "smallest file": "small",
        "cheapest training": "quick",
        "least forgetting": "faithful",
    }
    assert names(found["nearest pictures"].behind) == {"small", "quick", "faithful"}
    assert found["nearest pictures"].alone and found["nearest pictures"].further is None


def test_a_value_stands_with_its_interval_and_with_what_it_costs_in_pictures():
    quick = told(invented(METHODS))["cheapest training"]
    assert quick.value.low < 60 < quick.value.high and quick.value.half > 0
    assert quick.further.low < 1.01 < quick.further.high and quick.further.low > 0


def test_nobody_is_separated():
    found = told(invented({name: (3.0, 1_000 * size, 80.0, 0.3) for size, name in enumerate("abcd", 1)}))
    for end in ("nearest pictures", "cheapest training", "least forgetting"):
        assert not found[end].decided and len(found[end].beside) + len(found[end].equal) == 3
    assert found["smallest file"].best["variant"] == "a" and found["smallest file"].alone


def test_what_is_not_separated_from_the_best_stands_beside_it():
    methods = {**METHODS, "small": (2.0, 90_000, 80.0, 0.3)}
    found = told(invented(methods))["nearest pictures"]
    assert {found.best["variant"]} | names(found.beside + found.equal) == {"near", "small"}
    assert names(found.behind) == {"quick", "faithful"}


def test_equal_is_what_lies_within_the_margin_whole():
    methods = {**METHODS, "small": (2.0, 90_000, 80.0, 0.3)}
    found = told(invented(methods, spread=0.01))["nearest pictures"]
    assert names(found.equal) == {"near", "small"} - {found.best["variant"]} and not found.beside


def test_files_of_one_size_share_the_first_place():
    found = told(invented(METHODS))["smallest file"]
    assert found.best["variant"] == "small"  # of two files alike the one with the nearer pictures
    assert names(found.beside) == {"faithful"} and names(found.behind) == {"near", "quick"}
    assert found.value.mean == 90_000 and found.value.half == 0


def test_one_seed_decides_nothing():
    found = told(invented(METHODS, seeds=1))
    pictures = found["nearest pictures"]
    assert pictures.best["variant"] == "near" and math.isnan(pictures.value.half)
    assert not pictures.decided and names(pictures.unknown) == {"small", "quick", "faithful"}


def test_the_first_judges_distance_decides():
    found = invented(METHODS, judges=("dinov2-base", "probe"))
    found.evaluations["fd_dinov2_base"] = 10 - found.evaluations["fd_probe"]
    pictures = told(found)["nearest pictures"]
    assert (pictures.metric, pictures.best["variant"]) == ("fd_dinov2_base", "faithful")


def test_a_run_that_is_sampled_twice_counts_once_where_sampling_makes_no_difference():
    found = told(invented(METHODS, guidances=("null", "superclass")))
    assert len(found["nearest pictures"].behind + found["nearest pictures"].beside) == 7
    training = found["cheapest training"]
    assert training.best["variant"] == "quick-null"  # the guidance that brings it nearer
    assert {row["entry"] for row in training.behind} == {"near", "small", "faithful"} and len(training.behind) == 3


@pytest.mark.parametrize("missing", ["drift", "train_seconds"])
def test_an_end_that_is_not_measured_is_left_out(missing):
    found = invented(METHODS)
    found.evaluations = found.evaluations.assign(**{missing: math.nan})
    assert {"drift": "least forgetting", "train_seconds": "cheapest training"}[missing] not in told(found)
    assert len(told(found)) == 3


def test_words_say_who_and_how_sure():
    found = invented(METHODS)
    near, small, quick, faithful = (said(found, one) for one in told(found).values())
    assert near.startswith("For the nearest pictures take near (fd_probe 2.9") and "± 0." in near
    assert near.endswith("from which every other method is separated.")
    assert small.startswith(
        "For the smallest file take small (90 kB, 0.225 % of the parameters); faithful has as small"
    )
    assert small.endswith("further from real ones than those of near.")
    assert quick.startswith("For the cheapest training take quick (60 s ±")
    assert faithful.startswith("To forget least of what the base could draw take faithful (drift 0.")


def said(found: MadeUpScores, one: Answer) -> str:
    """An answer's words without their marks."""
    return re.sub(r"<[^>]+>", "", answers.sentence(found, one))


def test_words_where_nobody_is_separated():
    found = invented({name: (3.0, 1_000 * size, 80.0, 0.3) for size, name in enumerate("abcd", 1)})
    words = said(found, told(found)["nearest pictures"])
    assert re.match(r"For the nearest pictures no method is separated from [abcd] \(fd_probe .* ± .*\)\.", words)
    alone = invented(METHODS, seeds=1)
    words = said(alone, told(alone)["nearest pictures"])
    assert "nothing is decided yet" in words and "So far near is ahead (fd_probe" in words
