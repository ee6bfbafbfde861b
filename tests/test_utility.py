"""What samples are worth to a classifier: which pictures it is trained on, what is told of it, and that it is off."""

from __future__ import annotations

import re
from pathlib import Path

import made_up
import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from finefit.analysis import collect
from finefit.analysis.utility import band_of, class_gains, gain, results
from finefit.datasets import embedded
from finefit.evaluation import utility as phase
from finefit.jobs import store
from finefit.jobs.job import Job
from finefit.metrics import probe
from finefit.report import utility
from finefit.study import reading
from finefit.study.plan import Plan

ROOT = Path(__file__).parents[1]
ASKED = {"per_class": 1280, "steps": 5, "ratios": [1, 10], "classifiers": 2}


def test_it_is_off_unless_a_study_asks(monkeypatch):
    monkeypatch.chdir(ROOT)
    plan = Plan(reading.load(Path("studies/smoke.yaml")))
    assert not plan.phase("utility") and "utility" not in plan.report.settings["study"]["evaluate"]


def test_every_run_is_compared_with_real_pictures_under_its_own_seed(monkeypatch):
    monkeypatch.chdir(ROOT)
    plan = Plan(reading.load(Path("studies/utility.yaml")))
    jobs = plan.kind("utility")
    assert len(plan.study.methods) >= 3 and len(plan.study.seeds) >= 3
    alone = [job for job in jobs if "sample" not in job.inputs]
    assert sorted(job.settings["seed"] for job in alone) == plan.study.seeds
    sampled = [job.inputs["sample"].inputs["run"].digest for job in jobs if "sample" in job.inputs]
    assert sorted(sampled) == sorted(run.digest for run in plan.kind("finetune"))
    for job in jobs:
        if "sample" in job.inputs:
            assert job.settings["seed"] == job.inputs["sample"].inputs["run"].settings["seed"]
            assert job.inputs["sample"].settings["scale"] == plan.study.sample.scale
    assert set(jobs) <= set(plan.report.inputs.values())


def test_training_sets_keep_the_ratio_in_every_class():
    labels, asked = torch.tensor([0, 0, 0, 1]), torch.arange(2).repeat_interleave(6)
    train, images = torch.zeros(4, 1, 1, 3), torch.arange(1, 13).view(12, 1, 1, 1).expand(-1, -1, -1, 3)
    sets = phase.with_samples(train, labels, images, asked, [1, 2])
    counts = {name: torch.bincount(named).tolist() for name, (_, named) in sets.items()}
    assert counts == {"samples": [6, 2], "1:1": [6, 2], "1:2": [9, 3]}
    real = {name: int((pictures[:] == 0).all(3).sum()) for name, (pictures, _) in sets.items()}
    assert real == {"samples": 0, "1:1": 4, "1:2": 4}
    assert sets["1:1"][0][4:][:, 0, 0, 0].tolist() == [1, 2, 3, 7], "the first of each class"
    with pytest.raises(ValueError, match="utility.per_class: class 0 has 6 samples, and 9 are asked for"):
        phase.with_samples(train, labels, images, asked, [3])


def test_classifiers_learn_from_samples_and_finished_ones_outlive_a_kill(tmp_path, monkeypatch):
    """Class 0 is dark, class 1 bright; the real labels are wrong way round, so only samples can teach it."""

    def flat(labels: torch.Tensor) -> torch.Tensor:
        levels = torch.where(labels == 1, 230, 30)[:, None, None, None]
        return levels.expand(-1, 16, 16, 3).to(torch.uint8).contiguous()

    asked = torch.arange(2).repeat_interleave(20)
    sample = Job("sample", "some", {})
    monkeypatch.chdir(tmp_path)
    sample.path.mkdir(parents=True)
    np.save(sample.path / "images.npy", flat(asked).numpy())
    np.save(sample.path / "labels.npy", asked.numpy())
    real = {"train": torch.tensor([0, 0, 1, 1]), "test": torch.tensor([0, 1, 1, 1])}
    turned = {"train": 1 - real["train"], "test": real["test"]}
    monkeypatch.setattr(phase, "of_split", lambda data, split, *_: (flat(turned[split]), real[split]))
    settings = {"resolution": 16, "seed": 0, "steps": 60, "classifiers": 1, "ratios": [10]}
    job = Job("utility", "some", settings, {"data": None, "sample": sample})
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    out.mkdir(), scratch.mkdir()
    phase.build(job, out, scratch)
    table = pd.read_csv(out / "utility.csv").set_index(["trained_on", "class_id"])
    assert table["train"].unstack().to_numpy().tolist() == [[2, 2], [2, 2]]
    assert table["pictures"].unstack().to_numpy().tolist() == [[1, 3], [1, 3]]
    assert table["right"].unstack().loc["samples"].tolist() == [1, 3]
    monkeypatch.setattr(probe, "fit", lambda *_: pytest.fail("it was trained already"))
    phase.build(job, out, scratch)


def test_training_pictures_may_have_a_long_tail():
    settings = embedded.Settings(classes=8, train_per_class=32, test_per_class=2, rarest=2)
    index = embedded.index(settings, None)
    counts = index[index["split"] == "train"]["class_name"].value_counts()
    counts = [int(counts[name]) for name in embedded.taxonomy(settings, None)["class_name"]]
    assert counts == [round(32 * (2 / 32) ** (place / 7)) for place in range(8)]
    assert embedded.counts(settings) == (8, sum(counts), 16)
    for wrong in (0, 33):
        with pytest.raises(ValueError, match="rarest is"):
            embedded.Settings(classes=8, train_per_class=32, rarest=wrong)


@pytest.fixture
def finished(made_up_study):
    """Results of the made-up study with right answers that `answers[entry, trained_on](seed, class)` gives, of 10."""

    def make(answers: dict, seeds: list[int]) -> collect.Results:
        content = made_up.STUDY | {"seeds": seeds}
        content["evaluate"] = content["evaluate"] | {"utility": ASKED}
        Path("asked.yaml").write_text(yaml.safe_dump(content))
        found = collect.read("asked.yaml")
        for job in found.plan.kind("utility"):
            entry = (
                job.inputs["sample"].inputs["run"].name.split("/")[1].rpartition("-")[0] if len(job.inputs) > 1 else ""
            )
            rows = [
                {"trained_on": way, "classifier": number, "class_id": label, "train": 4 * (label + 1), "pictures": 10}
                | {"right": right(job.settings["seed"], label)}
                for (name, way), right in answers.items()
                if name == entry
                for number in range(2)
                for label in range(made_up.CLASSES)
            ]
            job.path.mkdir(parents=True)
            pd.DataFrame(rows).to_csv(job.path / "utility.csv", index=False)
            store.write_provenance(job, job.path, 1.0)
        return found

    return make


def answers(gain: dict[str, int]) -> dict:
    """Right answers of 10: real pictures alone 3, 4 or 5 by seed; with samples more by a gain, in class 0 by three."""
    made = {("", "real"): lambda seed, label: 3 + seed}
    for entry, more in gain.items():
        for way in ("samples", "1:1"):
            made[entry, way] = lambda seed, label: 3 + seed
        made[entry, "1:10"] = lambda seed, label, more=more: (
            3 + seed + more * (3 if label == 0 else 1) + (seed == 1 and label == 5)
        )
    return made


def plain(html) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", html.data))


def test_the_first_line_says_whether_samples_helped_and_which_classes(finished):
    found = finished(answers({"full": 1, "flat": 0, "finediffusion": 0}), [0, 1, 2])
    said = plain(utility.first_line(found))
    assert "Samples helped: those of full." in said
    # Five classes gain 1 of 10, one gains 3, and under one seed class 5 gains one more.
    gains = [(5 * 0.1 + 0.3) / 6, (5 * 0.1 + 0.3 + 0.1) / 6, (5 * 0.1 + 0.3) / 6]
    assert f"the best method ( full ): +{100 * np.mean(gains):.1f} points" in said.replace("(full)", "( full )")
    assert gain(results(found), "full", "1:10").mean == pytest.approx(np.mean(gains))
    # Class by class: 6 classes, 3 seeds, residuals of the additive model of class and seed.
    table = np.full((6, 3), 0.1)
    table[0], table[5, 1] = 0.3, 0.2
    residuals = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    error = np.sqrt((residuals**2).sum() / 10 / 3)
    first = class_gains(found, "embedded-8", "full", "1:10")[0]
    assert (first.mean, first.error) == pytest.approx((0.3, error))
    assert "6 of 6 classes changed beyond chance, most of all class &lt;0&gt; (+30.0 points" in said
    assert "With one seed" in plain(utility.first_line(finished_with_one_seed(found)))


def test_the_first_line_says_that_every_methods_samples_harm_and_names_three_of_many_classes(finished):
    found = finished(answers({"full": -1, "flat": -1, "finediffusion": -1}), [0, 1, 2])
    said = plain(utility.first_line(found))
    assert "Samples did harm, whatever method drew them. Real pictures alone" in said
    # Class 5 is unchanged under one seed.
    assert "5 of 6 classes changed beyond chance, most of all class &lt;0&gt; (−30.0 points" in said
    assert said.count("class &lt;") == 3


def test_harm_is_told_where_real_pictures_alone_leave_nothing_to_gain(finished):
    made = {("", "real"): lambda seed, label: 10}
    made |= {
        (entry, way): lambda seed, label: 8 - (seed == 0 == label)
        for entry in ("full", "flat", "finediffusion")
        for way in ("samples", "1:1", "1:10")
    }
    assert "Samples did harm, whatever method drew them." in plain(utility.first_line(finished(made, [0, 1, 2])))


def finished_with_one_seed(found):
    """The same study of whose seeds one is done."""
    for job in found.plan.kind("utility"):
        if job.settings["seed"]:
            job.marker.unlink()
    return collect.read("asked.yaml")


def test_nothing_is_claimed_without_a_gain(finished):
    said = plain(utility.first_line(finished(answers({"full": 0, "flat": 0, "finediffusion": 0}), [0, 1, 2])))
    assert "Samples did not help measurably." in said and "helped:" not in said


def test_a_classifier_that_real_pictures_alone_make_perfect_is_told(finished):
    ways = [
        ("", "real"),
        *((entry, way) for entry in ("full", "flat", "finediffusion") for way in ("samples", "1:1", "1:10")),
    ]
    said = plain(utility.first_line(finished({key: lambda seed, label: 10 for key in ways}, [0, 1, 2])))
    assert "Samples could not help" in said and "100.0 %" in said


def test_bands_hold_a_third_of_the_classes_each(finished):
    assert band_of(pd.Series([3, 1, 2, 6, 5, 4])).tolist() == [
        "middle", "rare", "rare", "common", "common", "middle",
    ]  # fmt: skip
    assert set(band_of(pd.Series([8, 8, 8]))) == {"all"}
    said = plain(utility.bands(finished(answers({"full": 1, "flat": 0, "finediffusion": 0}), [0, 1, 2])))
    assert "rare 2 classes of 4 to 8 pictures" in said and "full +20.0 points" in said
    assert len(re.findall("class &lt;", plain(utility.classes(collect.read("asked.yaml"))))) == made_up.CLASSES


def test_what_is_not_there_is_pending(made_up_study):
    content = made_up.STUDY["evaluate"] | {"utility": ASKED}
    Path("asked.yaml").write_text(yaml.safe_dump(made_up.STUDY | {"evaluate": content}))
    found = collect.read("asked.yaml")
    for shown in (utility.first_line, utility.gains, utility.bands, utility.classes):
        assert "Traceback" not in shown(found).data
    assert "pending" in utility.first_line(found).data and "minimal-diffusion" in utility.published().data
