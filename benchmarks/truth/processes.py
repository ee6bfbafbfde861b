"""Noise prediction and the straight path side by side: order of methods, evaluations of the network, the bases alone.

    python -m benchmarks.truth.processes order             from the kept pages of mini and flow
    python -m benchmarks.truth.processes evaluations       from finished runs of both studies
    python -m benchmarks.truth.processes bases             from the shipped bases alone

`evaluations` draws one method's pictures, of the same labels from the same first noise, with 4, 8, 16 and 50
evaluations of the network by either process, and compares them as the studies do. `bases` does the same for both bases'
own classes: the last stage of either was 5,000 steps on the same pictures in the same batches. Distances are
Frechet distances by the studies' first judge. Writes benchmarks/results/, and sheets to docs/results/processes.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.speed.measuring import machine
from benchmarks.speed.samplers import compared, drawn, judged
from benchmarks.speed.tables import RESULTS, ROOT, rewrite
from finefit import judges, processes
from finefit.analysis import kept
from finefit.analysis.blocks import Fit
from finefit.analysis.decisions import verdict
from finefit.analysis.scores import by_seed
from finefit.analysis.statistics import estimate
from finefit.data import sources
from finefit.jobs.devices import device_here
from finefit.metrics.frechet import frechet_distance
from finefit.sampling.batches import batches_of
from finefit.sampling.trained import untouched
from finefit.study.config import Study
from finefit.study.plan import Plan
from finefit.study.reading import load

STUDIES = {"ddpm": Path("params.yaml"), "flow": Path("studies/flow.yaml")}
OWN = Path("studies/base.yaml")  # its data are the bases' own classes
KEPT = {"ddpm": Path("docs/results/mini"), "flow": Path("docs/results/flow")}
METHOD = "difffit"
SAMPLERS = [("ddpm", "dpmpp"), ("flow", "euler"), ("flow", "heun")]  # each with its process
EVALUATIONS = (4, 8, 16, 50)
PER_CLASS = 8
OWN_CLASSES = 3  # every third of the bases' own classes is drawn, once; their eight kinds come in turn
SHEETS = ROOT / "docs/results/processes"
SHOWN = 16  # pictures of a sheet's line


def order() -> dict[str, Any]:
    """Each method's distance and place by either process, and in how many pairs of methods both say the same.

    Of both studies the rows that both have, a method with what guides it, compared among themselves.
    """
    found = {process: kept.read(folder) for process, folder in KEPT.items()}
    metric = found["ddpm"].distance
    runs = {process: study.evaluations[study.evaluations["main"]] for process, study in found.items()}
    tables = {process: by_seed(part, metric) for process, part in runs.items()}
    shared = [name for name in tables["ddpm"].index if name in tables["flow"].index]
    fits = {process: Fit(table.loc[shared]) for process, table in tables.items()}
    rows: list[dict[str, Any]] = [{"method": name} for name in shared]
    for process, fit in fits.items():
        means = {name: fit.mean(name) for name in shared}
        places = sorted(shared, key=lambda name: means[name].mean)
        for row in rows:
            mean = means[row["method"]]
            place = 1 + places.index(row["method"])
            row |= {process: mean.mean, f"{process}, half": mean.half, f"{process}, place": place}
    pairs = [[fit.difference(*two) for fit in fits.values()] for two in combinations(shared, 2)]
    verdicts = [[verdict(difference) for difference in two] for two in pairs]
    both = [two for two in verdicts if set(two) <= {"lower", "higher"}]
    return {
        "metric": metric,
        "seeds": {process: len(table.columns) for process, table in tables.items()},
        "pairs": len(pairs),
        "alike": sum((one.mean < 0) == (other.mean < 0) for one, other in pairs),
        "separated": {
            process: sum(two[k] in ("lower", "higher") for two in verdicts) for k, process in enumerate(fits)
        },
        "separated by both": len(both),
        "of these alike": sum(one == other for one, other in both),
        "rows": sorted(rows, key=lambda row: row["ddpm"]),
    }


def evaluations() -> dict[str, Any]:
    """A row for each sampler and number of evaluations: distance and named share, means over seeds with intervals."""
    device, rows, lines = device_here(), [], []
    for process, sampler in SAMPLERS:
        each = processes.find(process).SAMPLERS[sampler].evaluations
        jobs = judged(METHOD, Plan(load(STUDIES[process])))
        for count in EVALUATIONS:
            values, first = [], None
            for job in jobs:
                asked = {"sampler": sampler, "steps": count // each, "per_class": PER_CLASS}
                images, labels, _ = drawn(job.inputs["sample"], job.inputs["sample"].settings | asked, 1, "", device)
                values.append(compared(images, labels, job))
                first = images[::PER_CLASS][:SHOWN] if first is None else first
            row: dict[str, Any] = {"process": process, "sampler": sampler, "evaluations": count}
            for name in ("distance", "named"):
                mean = estimate([value[name] for value in values])
                row |= {name: mean.mean, f"{name}, half": mean.half}
            rows.append(row)
            lines.append(first)
            print(row, flush=True)
    sheet(lines, SHEETS / "evaluations.png")
    seeds = [job.inputs["sample"].settings["seed"] for job in jobs]
    return {"machine": machine(device), "method": METHOD, "seeds": seeds, "per_class": PER_CLASS, "rows": rows}


def bases() -> dict[str, Any]:
    """The distance of each base's pictures of its own classes from as many real ones, by evaluations of the network."""
    name = load(STUDIES["ddpm"]).judges()[0]
    see = judges.load(name, sources.fetch(judges.weights(name)))
    real, classes = real_pictures(load(OWN))
    seen = see(real).numpy()
    rows, lines = [], [real]
    for process, sampler in SAMPLERS:
        each = processes.find(process).SAMPLERS[sampler].evaluations
        study = load(STUDIES[process])
        base = untouched(Plan(study))
        ids = [base.classes.index(one) for one in classes]
        for count in EVALUATIONS:
            settings = study.sample.model_dump() | processes.told(base.network)
            settings |= {"seed": 0, "guidance": "base", "sampler": sampler, "steps": count // each}
            batches = batches_of(torch.tensor(ids), 1, settings["batch_size"])
            parts = [base.draw(labels.tolist(), numbers.tolist(), settings) for labels, numbers in batches]
            images = torch.from_numpy(np.concatenate(parts))
            rows.append({"process": process, "sampler": sampler, "evaluations": count})
            rows[-1]["distance"] = frechet_distance(see(images).numpy(), seen)
            lines.append(images)
            print(rows[-1], flush=True)
    sheet([line[:: len(line) // SHOWN][:SHOWN] for line in lines], SHEETS / "bases.png")
    first, second = np.array_split(seen[np.random.default_rng(0).permutation(len(seen))], 2)
    halves = frechet_distance(first, second)
    return {"machine": machine(device_here()), "pictures": len(seen), "halves of real": halves, "rows": rows}


def real_pictures(study: Study) -> tuple[Tensor, list[str]]:
    """A test picture `[n, r, r, 3]` of each class that is drawn, and these classes' names."""
    ((name, section),) = study.data.items()
    reader, settings = study.reader(name), study.reader_settings(name)
    index = reader.index(settings, None)
    rows = index[index["split"] == "test"].drop_duplicates("class_name").iloc[::OWN_CLASSES]
    return torch.from_numpy(reader.read(rows, section.resolutions[0], settings, None)), list(rows["class_name"])


def sheet(lines: list[Tensor], file: Path) -> None:
    """Pictures uint8 `[n, r, r, 3]` of each line beside each other, lines below each other."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate([np.concatenate(list(line.numpy()), axis=1) for line in lines])).save(file)


PARTS = {"order": order, "evaluations": evaluations, "bases": bases}


def main() -> None:
    """Run the parts that are asked for, and write each and the documents' tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    for part in parser.parse_args().parts:
        found = PARTS[part]()
        (RESULTS / f"{part}-processes.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    rewrite()


if __name__ == "__main__":
    main()
