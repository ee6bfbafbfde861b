"""Networks: counting them, published checkpoints in and out, and how the shipped files were made."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from finefit.commands import PARAMS, StudyFile, plan_of
from finefit.jobs import store
from finefit.jobs.faults import require_folder
from finefit.jobs.job import Job
from finefit.study.plan import Plan

app = typer.Typer()


@app.command("fit-codec")
def fit_codec(
    weights: Path,
    photographs: Annotated[bool, typer.Option("--photographs", help="For photographs, on Tiny ImageNet.")] = False,
) -> None:
    """Fit the small codec to the embedded source domain and write its weights: how the shipped ones were made."""
    require_folder(weights)
    from finefit.codecs import patch_pca_fit

    fit = patch_pca_fit.fit_photographs if photographs else patch_pca_fit.fit_shipped
    fit(weights)


@app.command("export-base")
def export_base(file: Path, study: StudyFile = PARAMS) -> None:
    """Write a study's only run, of a plain network, as a base (.safetensors), with its provenance beside it."""
    require_folder(file)
    from finefit.deltas.delta import load_run
    from finefit.models.checkpoint import export_base

    planned = plan_of(study)
    runs = planned.kind("finetune")
    if len(runs) != 1:
        raise ValueError(f"{study}: a base is exported from a study with one run, and this one has {len(runs)}")
    store.require(runs[0])
    export_base(runs[0], file, load_run(runs[0]))


@app.command()
def count(
    model: Annotated[str, typer.Option(help="A published size and patch.")] = "DiT-XL/2",
    as_json: Annotated[bool, typer.Option("--json", help="Every value, as JSON.")] = False,
) -> None:
    """Trained and total parameters of every method on every data set, beside the published counts."""
    from finefit.outlook import counts

    rows = counts.table(model)
    print(json.dumps(rows, indent=1) if as_json else counts.as_text(rows))


@app.command("import")
def import_(
    checkpoint: Path,
    delta: Path,
    run: Annotated[Path, typer.Option("--as", help="The run of the study that it is like: method, base and data.")],
    study: StudyFile = PARAMS,
) -> None:
    """Read a published checkpoint (DiT's layout or FineDiffusion's) and write what it trained as a delta."""
    require_folder(delta)
    from finefit.deltas.published import import_checkpoint

    print(f"{checkpoint}: {import_checkpoint(checkpoint, finetuning(plan_of(study), run), delta)}")


class Form(StrEnum):
    """What `finefit export` can write."""

    checkpoint = "checkpoint"
    diffusers = "diffusers"


@app.command()
def export(
    run: Path,
    target: Annotated[Path, typer.Argument(help="The file to write (.pt or .safetensors), or the pipeline's folder.")],
    to: Annotated[Form, typer.Option(help="A checkpoint that published code reads, or a pipeline of diffusers.")] = (
        Form.checkpoint
    ),
    study: StudyFile = PARAMS,
) -> None:
    """Write a run, merged into its base, for other programs: as a checkpoint, or as a pipeline with its model card."""
    require_folder(target)
    if to == Form.diffusers:
        from finefit.export.diffusers_folder import export

        planned = plan_of(study)
        export(planned, finetuning(planned, run), target)
        print(target)
    else:
        from finefit.deltas.published import export_run

        made = finetuning(plan_of(study), run)
        store.require(made)
        print(f"{target}: {export_run(made, target)}")


def finetuning(plan: Plan, path: Path) -> Job:
    """The fine-tuning of a study that stands, or will stand, at `path`."""
    job = plan.at(path)
    if job.kind != "finetune":
        raise ValueError(f"{path}: is of kind {job.kind!r}, not a fine-tuning; see runs/")
    return job
