"""The model card of an exported run: what it is, how it scores, how it was made, what it may be used for."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import torch
import yaml

from finefit import datasets, processes
from finefit.analysis.collect import Results, group_of
from finefit.analysis.tables import flat
from finefit.data import letters, sources
from finefit.jobs import readers
from finefit.jobs.quantities import plural
from finefit.report.text import cell, number
from finefit.sampling import grid
from finefit.sampling.runs import sample_of
from finefit.sampling.trained import load

if TYPE_CHECKING:
    from finefit.jobs.job import Job
    from finefit.study.plan import Plan

SHEET, SHOWN, PICTURES = "samples.png", 8, 6  # file; classes and pictures of each on it
LICENCES = {"Apache-2.0": "apache-2.0", "MIT": "mit", "CC BY-NC 4.0": "cc-by-nc-4.0"}  # under the Hub's names
TIMESTEPS = (100, 500, 999)
STOCK_ROWS, STOCK_NULL = 1001, 1000  # what diffusers' DiTPipeline takes for granted

CARD = Template("""\
---
$metadata
---

# $title

A class-conditional Diffusion Transformer ($network) for $classes of $data at $resolution pixels, fine-tuned with
**$method**, which trains $trained of $total parameters ($share). Made with FineFit.

![Pictures that it draws, a row for each class]($sheet)

```python
from diffusers import DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained("FOLDER", trust_remote_code=True)  # pipeline.py lies in this folder
pictures = pipe($example, seed=0).images
```

Classes are given by name or number; `pipe.labels` lists them ($first).
The k-th picture of a class depends on the class, k and the seed alone. Guidance is away from $guidance;
`guidance_scale` ($scale) and `num_inference_steps` ($steps) are the study's, and a call may change them.

## Scores

$scores

## How it was made

| | |
|---|---|
$made

## Limits

It draws the classes that it was trained on, at $resolution pixels, and knows of them what $train training pictures
showed. Its pictures are not photographs of anything: mark them as generated wherever they go. Whether they help a
classifier is to be measured on real pictures.
$stock
## Licences

| what | source | licence | terms |
|---|---|---|---|
$licences

`pipeline.py` and the code beside the weights: Apache-2.0.
""")


def write(plan: Plan, run: Job, folder: Path) -> None:
    """Write README.md and the sheet of samples into an exported folder whose other files stand.

    Args:
        plan: of the run's study.
        run: the fine-tuning.
    """
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    latents = run.inputs["latents"]
    data, names = latents.inputs["data"], list(index["id2label"].values())
    counts = readers.content(run.path / "run.json")
    network, method, used = run.settings["network"], run.settings["method"], licences(run)
    draw_sheet(plan, run, names, folder / SHEET)
    metadata = {
        **licence_of([row[2] for row in used]),
        "library_name": "diffusers",
        "pipeline_tag": "unconditional-image-generation",
        "tags": ["finefit", "dit", "class-conditional", method],
    }
    guidance = {"null": "the null class", "superclass": "the class's superclass", "none": "nothing"}
    text = CARD.substitute(
        metadata=yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True).strip(),
        title=f"{data.name}, {latents.settings['resolution']} pixels, {method}",
        network=f"DiT-{network['size']}/{network['patch']}",
        classes=plural(len(names), "class"),
        data=title_of(data),
        resolution=latents.settings["resolution"],
        method=method,
        trained=f"{counts['trained_parameters']:,}",
        total=f"{counts['total_parameters']:,}",
        share=f"{number(100 * counts['trained_share'])} %",
        sheet=SHEET,
        example=json.dumps(names[:2], ensure_ascii=False),
        first=", ".join(map(plain, names[:3])) + (", ..." if len(names) > 3 else ""),
        guidance=guidance[index["guidance"]],
        scale=f"{index['guidance_scale']:g}",
        steps=index["num_inference_steps"],
        scores=scores(plan, run),
        made="\n".join(f"| {what} | {how} |" for what, how in made(plan, run).items()),
        train=f"{training_pictures(latents):,}",
        stock=stock(folder, index),
        licences="\n".join(f"| {' | '.join(row)} |" for row in used),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def draw_sheet(plan: Plan, run: Job, names: list[str], file: Path) -> None:
    """Write a picture with a row for each of the first classes."""
    trained, shown = load(run.path), names[:SHOWN]
    ids = [number for number in range(len(shown)) for _ in range(PICTURES)]
    drawn = trained.draw(ids, [*range(PICTURES)] * len(shown), sample_of(plan, run).settings)
    rows = drawn.reshape(len(shown), PICTURES, *drawn.shape[1:])
    titles = [letters.drawable(name, f"class {number}") for number, name in enumerate(shown)]
    grid.grid(dict(zip(titles, rows, strict=True)), []).save(file)


def plain(name: str) -> str:
    """A name as Markdown shows it, letter by letter, whatever it holds."""
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", escape(" ".join(name.split()), quote=False))


def title_of(data: Job) -> str:
    """A data set as its publishers call it, or by its name in the study."""
    published = datasets.find(data.settings["reader"]).PUBLISHED
    return published.title if published else f"“{data.name}”"


def training_pictures(latents: Job) -> int:
    """How many pictures the run was trained on."""
    return readers.content(latents.path / "index.json")["count"]


def scores(plan: Plan, run: Job) -> str:
    """The run's entry in the study's table, means over seeds with half the 95 % interval; and what real ones reach."""
    found = Results(plan)
    mine = [job for job in plan.kind("evaluate") if job.inputs["sample"].inputs["run"] is run]
    rows = found.main[[any(job in mine for job in jobs) for jobs in found.main["jobs"]]]
    table = flat(found, rows)
    known = [metric for metric in found.metrics if len(table) and table[metric].notna().any()]
    if not known:
        return "None yet: the study has not evaluated it."
    guidances = [f"{row['guidance']} × {row['scale']:g}" for _, row in table.iterrows()]
    lines = [f"| guidance | {' | '.join(guidances)} |", "|---" * (1 + len(table)) + "|"]
    lines.append(f"| seeds | {' | '.join(str(done) for done in rows['done'])} |")
    for metric in known:
        lines.append(f"| {metric} | {' | '.join(cell(row, metric) for _, row in table.iterrows())} |")
    real = found.reference(group_of(mine[0].inputs["reference"])) or {}
    lines += ["", f"Study “{plan.study.name}”; mean over seeds ± half the 95 % interval, where seeds were repeated."]
    if real:
        lines.append(
            f"Real test pictures have an `fd_probe` of {number(real['fd_probe_floor'])} among themselves, and the "
            f"study's classifier names {100 * real['classifier_class_accuracy']:.1f} % of them."
        )
    if "fid" not in known:
        lines.append("Distances are in the features of the study's own small network: `fd_probe` is not FID.")
    return "\n".join(lines)


def made(plan: Plan, run: Job) -> dict[str, str]:
    """How the run was made: method, base, codec, training, code."""
    record = readers.content(run.marker)
    train, settings = dict(run.settings["train"]), run.settings["method_settings"]
    steps, batch = train.pop("steps"), train.pop("batch_size")
    base = run.inputs.get("base")
    return {
        "method": f"`{run.settings['method']}`, {written(settings)}",
        "base": f"`{base.settings['weights']['name']}`" if base else "none: from random weights",
        "process": f"`{run.settings['network'].get('process', processes.DEFAULT)}`",
        "codec": f"`{run.inputs['latents'].settings['codec']['name']}`",
        "training": f"{steps:,} steps of {batch} pictures, {written(train)}, seed {run.settings['seed']}",
        "took": f"{record['seconds']:,.0f} s on {record['hardware']['processor']}, GPU {record['hardware']['gpu']}",
        "code": f"commit {record['code']['commit'][:12]}{', changed since' if record['code']['dirty'] else ''}",
        "again": f"`snakemake {run.marker}` with study “{plan.study.name}”",
    }


def written(settings: dict[str, Any]) -> str:
    """Settings in a line."""
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in settings.items()).replace('"', "")


def licences(run: Job) -> list[list[str]]:
    """What the weights were made from: a row of what, source, licence and terms for each source."""
    latents, base = run.inputs["latents"], run.inputs.get("base")
    data = latents.inputs["data"]
    named = [("base", base.settings["weights"]["name"])] if base else []
    named += [("codec", latents.settings["codec"]["weights"]["name"])]
    named += [("pictures", row["name"]) for row in data.settings["sources"]]
    rows = [[what, name, sources.find(name).licence, sources.find(name).terms] for what, name in named]
    if not data.settings["sources"]:
        drawn = datasets.find(data.settings["reader"]).PUBLISHED
        rows.append(["pictures", data.name, "Apache-2.0", "drawn by FineFit"] if drawn else
                    ["pictures", data.name, "not stated", "the photographs' owners decide"])  # fmt: skip
    return rows


def licence_of(licences: list[str]) -> dict[str, str]:
    """The Hub's metadata of several licences: theirs where all are one, else all by name."""
    distinct = list(dict.fromkeys(licences))
    if len(distinct) == 1 and distinct[0] in LICENCES:
        return {"license": LICENCES[distinct[0]]}
    return {"license": "other", "license_name": " and ".join(distinct)}


@torch.no_grad()
def stock(folder: Path, index: dict[str, Any]) -> str:
    """How far diffusers' own DiTPipeline is from this network, where it can hold the model; else nothing."""
    from diffusers import DiTTransformer2DModel

    from finefit.export.pipeline import as_published

    if index.get("velocity"):
        return (
            "\ndiffusers' own `DiTPipeline` is for networks that predict noise, and this one predicts a velocity. Use\n"
            "the pipeline of this folder.\n"
        )
    config = json.loads((folder / "transformer/config.json").read_text(encoding="utf-8"))
    if (config["num_embeds_ada_norm"] + 1, index["null_row"]) != (STOCK_ROWS, STOCK_NULL):
        return ""
    network = DiTTransformer2DModel.from_pretrained(folder / "transformer").eval()
    side = config["sample_size"]
    noise = torch.randn(1, config["in_channels"], side, side, generator=torch.Generator().manual_seed(0))

    def noises() -> list[torch.Tensor]:
        rows = torch.tensor([0])
        outputs = [network(noise, timestep=torch.tensor([t]), class_labels=rows).sample for t in TIMESTEPS]
        return [output[:, : config["in_channels"]] for output in outputs]

    theirs = noises()
    as_published(network, index["coordinate_scale"])
    ours = noises()
    apart = [float((one - other).norm() / other.norm()) for one, other in zip(theirs, ours, strict=True)]
    shares = ", ".join(f"{number(value, 2)} at {t}" for value, t in zip(apart, TIMESTEPS, strict=True))
    return (
        "\ndiffusers' own `DiTPipeline` can hold this model, but spaces the timestep's frequencies by 1/127 where the\n"
        f"published network has 1/128. On noise, its prediction is off by this share of the right one: {shares}\n"
        "(timestep of 0 to 999). Use the pipeline of this folder.\n"
    )
