"""What is rehearsed of a study: its first data set with every method, and its other data sets with one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from finefit.outlook import facts, forecast, rates, work
from finefit.study import reading
from finefit.study.config import Study
from finefit.study.passes import passes
from finefit.study.plan import Plan

PICTURES = 4, 64  # of each split, and of every set of samples, which is made in two batches: at least, at most
STEPS = {"cpu": 2, "gpu": 8}  # of training: the first warms up and is not counted
ROWS = 2  # of a batch of training on a CPU at least
SECONDS = {"step": 10.0, "pictures": 60.0}  # that a CPU may take for a step, and for making a set of samples
SHORT: dict[str, Any] = {"probe_steps": 2, "split_halves": 1, "diversity_pairs": 1, "denoising_per_class": 1}


def derived(study: Study, on_gpu: bool) -> list[Study]:
    """The studies that are run in its place; each resolution, data set, method, guidance and codec is in one of them.

    Kept are networks, resolutions, class tables, samplers, scales, judges, and the batch where the machine affords it;
    less are pictures, seeds and steps. What samples are worth to a classifier (`evaluate.utility`) is left out.
    """
    first, *others = study.data
    parts = [part(study, "methods", [first], list(study.methods), on_gpu)]
    if others:
        parts.append(part(study, "data", others, [frugal(study)], on_gpu))
    return parts


def part(study: Study, name: str, data: list[str], methods: list[str], on_gpu: bool) -> Study:
    """Some data sets with some methods."""
    content = study.model_dump(mode="json")
    train, sample = content["train"], content["sample"]
    pictures, rows = (PICTURES[1], train["batch_size"]) if on_gpu else affordable(study)
    train |= {"steps": STEPS["gpu" if on_gpu else "cpu"], "warmup_steps": 0, "batch_size": rows}
    sample |= {
        "steps": 2,
        "evaluate_every": 1,
        "sweep": {},
        "per_class": 2,
        "batch_size": min(sample["batch_size"], pictures // 2),
    }
    content |= {
        "name": f"{study.name}-{name}",
        "seeds": study.seeds[:1],
        "data": {key: content["data"][key] | {"trial": pictures, "per_class": None} for key in data},
        "methods": {key: content["methods"][key] | drawn_for(study, key, pictures) for key in methods},
        "evaluate": content["evaluate"] | SHORT | {"denoising_timesteps": 2, "utility": None},
    }
    return reading.parse(content, f"{study.name}, to be rehearsed")


def drawn_for(study: Study, entry: str, pictures: int) -> dict[str, Any]:
    """An entry's objective with so many pictures from the base at most, where it trains on such."""
    name, asked = study.objective(entry)
    return {"objective": {"name": name} | asdict(asked.rehearsed(pictures))} if asked.source else {}


def affordable(study: Study) -> tuple[int, int]:
    """Pictures of a set, and rows of a batch of training, that this machine's processor takes little time for."""
    plan, here = Plan(study), forecast.hardware_here()
    batch = study.train.batch_size
    step = max(work.step_operations(run) / rates.find(here, "train").rate for run in plan.kind("finetune")) / batch
    picture = max(
        2
        * passes(sample.settings)
        * facts.shape_of(sample.inputs["run"]).forward_operations
        / rates.find(here, "sample").rate
        + facts.codec_of(sample).decode * facts.resolution(sample) ** 2 / rates.find(here, "codec").rate
        for sample in plan.kind("sample")
    )
    least, most = PICTURES
    pictures = min(most, max(least, int(SECONDS["pictures"] / picture)))
    return pictures, min(batch, max(ROWS, int(SECONDS["step"] / step)))


def frugal(study: Study) -> str:
    """The entry of a study that trains the least."""
    runs = Plan(study).kind("finetune")
    one = {name: next(run for run in runs if run.name.endswith(f"/{name}-s{study.seeds[0]}")) for name in study.methods}
    return min(one, key=lambda name: facts.trained(one[name]))
