"""What keeps a small network from drawing photographs, one factor at a time: `python -m benchmarks.truth.photographs`.

DiffFit on Caltech-101 at 32 pixels as studies/caltech.yaml has it, its first seed, and the same with one thing changed:
guidance, steps of training or of sampling, method, base, or codec and resolution. Without more it says what each
costs here and runs nothing; `--run` makes what is missing (what that study has made is not made again), `--table`
writes what is there to benchmarks/results/photographs.json: the first judge's distance, and which share of samples its
head names, beside its share of real pictures, as they are and through the codec. A row whose artifacts are not here
stays as it was kept. FINEFIT_MIRROR must name a folder with the photographs. A factor whose base has no row in
data/sources.csv is left out, and told.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
import yaml

from finefit import codecs, judges
from finefit.analysis import collect
from finefit.analysis.collect import Results, content
from finefit.data import sources
from finefit.evaluation import judge
from finefit.evaluation.pictures import of_split
from finefit.evaluation.real import Real
from finefit.outlook import cost, forecast
from finefit.study import reading
from finefit.study.plan import Plan

FROM, FOLDER = Path("studies/caltech.yaml"), Path("scratch/photographs")
RESULTS = Path("benchmarks/results/photographs.json")
LARGER = {
    "data": {"caltech101": {"resolutions": [64], "options": {"archive": "caltech101-128"}}},
    "codec": {"name": "taef2", "weights": "taef2-encoder"},
    "base": {"size": "Mini", "patch": 1, "weights": "base-photo-64"},
}
FULL: dict[str, Any] = {"methods": {"full": {}}}
LOOKED_AT = 1500  # test pictures that go through the codec
FACTORS: dict[str, dict[str, Any]] = {  # sections of a study, over those of FROM; of `methods` the one named alone
    "as it is": {},
    "no guidance": {"sample": {"scale": 1.0}},
    "guidance 1.5": {"sample": {"scale": 1.5}},
    "guidance 2.5": {"sample": {"scale": 2.5}},
    "guidance 6": {"sample": {"scale": 6.0}},
    "guidance away from the untouched base": {"sample": {"guidance": ["base"]}},
    "guidance of all four channels": {"sample": {"guided_channels": 4}},
    "30 steps of sampling": {"sample": {"steps": 30}},
    "three times the steps of training": {"train": {"steps": 1800}},
    "the rates chosen on drawings": {"methods": {"difffit": {"lr": 1.0e-2, "lr_multipliers": {"y_embedder": 5.0}}}},
    "full fine-tuning": FULL,
    "the base of drawings": {"base": {"weights": "base-mini-32"}},
    "full fine-tuning, the base of drawings": FULL | {"base": {"weights": "base-mini-32"}},
    "a base trained for longer": {"base": {"weights": "base-photo-long-32"}},
    "full fine-tuning, that longer base": FULL | {"base": {"weights": "base-photo-long-32"}},
    "a base of photographs and drawings": {"base": {"weights": "base-both-32"}},
    "full fine-tuning, the base of both": FULL | {"base": {"weights": "base-both-32"}},
    "64 pixels and TAEF2": {"sample": {"guided_channels": 32}, **LARGER},
}


def studies() -> dict[str, Path]:
    """A study file for each factor whose base is at hand, by the factor's name."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = {}
    for place, (name, changed) in enumerate(FACTORS.items()):
        asked = yaml.safe_load(FROM.read_text(encoding="utf-8"))
        asked |= {"name": f"photographs-{place}", "seeds": asked["seeds"][:1]}
        for section, own in ({"methods": {"difffit": {}}} | changed).items():
            match section:
                case "data":
                    asked[section] = own
                case "methods":
                    asked[section] = {entry: asked[section][entry] | values for entry, values in own.items()}
                case _:
                    asked[section] |= own
        if asked["base"]["weights"] not in sources.table():
            print(f"{name}: left out, {sources.TABLE} has no row {asked['base']['weights']}")
            continue
        found[name] = FOLDER / f"{place}.yaml"
        found[name].write_text(yaml.safe_dump(asked, sort_keys=False), encoding="utf-8")
    return found


def row(name: str, found: Results, through: float) -> dict[str, object]:
    """A factor's line: distance by the first judge, samples and real pictures that its head names."""
    (group,), first = found.groups, found.study.judges()[0]
    asked = FACTORS[name].get("sample", {}).get("guidance", found.main["guidance"])  # beside the method's own
    values = found.main[found.main["guidance"].isin(asked)].iloc[0]
    return {
        "factor": name,
        found.distance: values[found.distance].mean,
        "samples named": values[judges.column("class_accuracy", first)].mean,
        "real pictures named": content(found.judging(group)[first], "judge.json").get("known"),
        "through the codec": through,
    }


def rows(files: dict[str, Path]) -> list[dict[str, object]]:
    """Every factor's line: of those whose artifacts are all here anew, of the others as it was kept."""
    lines = {line["factor"]: line for line in json.loads(RESULTS.read_text(encoding="utf-8"))["rows"]}
    shares: dict[str, float] = {}  # by the real pictures' digest
    for name, file in files.items():
        found = collect.read(file)
        if found.plan.missing() == [found.plan.report]:
            (reference,) = found.references.values()
            if reference.digest not in shares:
                shares[reference.digest] = through_codec(found)
            lines[name] = row(name, found, shares[reference.digest])
    return [lines[name] for name in FACTORS if name in lines]


@torch.no_grad()
def through_codec(found: Results) -> float:
    """The share of real test pictures that the first judge's head names once they were encoded and decoded.

    No network that learns these latents can be expected to draw what is named more often.
    """
    ((group, reference),) = found.references.items()
    judging = found.judging(group)[found.study.judges()[0]]
    images, labels = of_split(reference.inputs["data"], "test", found.groups[group]["resolution"])
    codec, see, head = codecs.load(reference.settings["codec"]), judge.network(judging), Real.load(judging.path).head
    looked_at = torch.arange(0, len(labels), max(1, len(labels) // LOOKED_AT))
    right = []
    for part in looked_at.split(64):
        features = see(codec.decode(codec.encode(images[part])[0])).numpy()
        right += list(head.classes_of(features) == labels[part].numpy())
    return sum(right) / len(right)


def main() -> None:
    """Tell the cost, run, or write the table."""
    files = studies()
    if "--run" in sys.argv:
        for file in files.values():
            subprocess.run(["snakemake", "phase_evaluate", "--configfile", str(file)], check=True)
    elif "--table" in sys.argv:
        RESULTS.write_text(json.dumps({"rows": rows(files)}, indent=1) + "\n", encoding="utf-8")
        print(RESULTS)
    else:
        for name, file in files.items():
            missing = [job for job in Plan(reading.load(file)).jobs if not job.marker.exists()]
            here = forecast.hardware_here()
            print(f"{name}: {forecast.total([cost.seconds(job, here) for job in missing])} of one core, from nothing")


if __name__ == "__main__":
    main()
