"""The command line: one command per kind of job, and a few that look at a study.

`finefit finetune runs/embedded-32/full-s0-1a2b3c4d` makes that artifact unless it stands there already. Snakemake and
dvc call these commands and nothing else.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from finefit import config, doctor, forecast, prune, sources, stopping, store
from finefit.outlook import outlook
from finefit.plan import PHASES, Job, Plan

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

BUILDERS = {
    "data": "taxonomy.build_data",
    "hierarchy": "taxonomy.build_hierarchy",
    "base": "models.checkpoint.build_base",
    "latents": "latents.build",
    "finetune": "finetune.build",
    "sample": "sample.build",
    "reference": "reference.build",
    "evaluate": "evaluate.build",
    "report": "report.build",
}

StudyFile = Annotated[Path, typer.Option(help="The study: params.yaml or a file of studies/.")]
MaxMinutes = Annotated[
    float | None,
    typer.Option(min=0, envvar="FINEFIT_MAX_MINUTES", help="Keep the state and end with code 75 after so long."),
]
PARAMS = Path("params.yaml")


class JobOrCommand(TyperGroup):
    """`finefit data PATH` makes an artifact, as every kind of job; `finefit data check NAME` looks at a data set."""

    def resolve_command(self, ctx, args):
        """The command that the first word names, else the one that makes artifacts."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["make", *args])


data = typer.Typer(cls=JobOrCommand, no_args_is_help=True)
app.add_typer(data, name="data", help="Make one artifact of kind 'data' (its PATH), or look at data sets.")


def job_command(kind: str) -> None:
    """Add the command that makes artifacts of one kind."""
    group, name = (data, "make") if kind == "data" else (app, kind)

    @group.command(name, help=f"Make one artifact of kind {kind!r} (phase {PHASES[kind][0]}), unless it is published.")
    def command(path: Path, study: StudyFile = PARAMS, max_minutes: MaxMinutes = None) -> None:
        stopping.listen(max_minutes)
        plan = Plan(config.load(study))
        job = plan.at(path)
        if job.kind != kind:
            raise ValueError(f"{path}: made by `finefit {job.kind}`, not by `finefit {kind}`")
        try:
            store.produce(job, builder(kind))
            print(outlook(plan), flush=True)
        except stopping.ToBeContinued:
            if not job.marker.exists():  # told to stop after the last step: there is nothing to continue
                raise


for _kind in PHASES:
    if _kind != "report":  # its command below can do more
        job_command(_kind)


def builder(kind: str):
    """The function that makes artifacts of a kind; imported only now, since most need torch."""
    module, _, function = BUILDERS[kind].rpartition(".")
    return getattr(import_module(f"finefit.{module}"), function)


@app.command()
def plan(study: Annotated[Path, typer.Argument(help="The study: params.yaml or a file of studies/.")] = PARAMS) -> None:
    """Say before anything runs what a study will compute and why, its hours and its disk."""
    planned = Plan(config.load(study))
    for line in forecast.lines(planned):
        print(line)
    print(forecast.check_disk(planned, needed(planned)))


@app.command()
def verify(study: StudyFile = PARAMS) -> None:
    """Check every published artifact of a study against its recorded checksums."""
    jobs = [job for job in Plan(config.load(study)).jobs if job.marker.exists()]
    faults = [fault for job in jobs for fault in config.faults_of("", lambda job=job: store.check(job))]
    if faults:
        raise ValueError("\n".join(fault.removeprefix(": ") for fault in faults))
    print(f"{len(jobs)} artifacts are as they were published")


@app.command("doctor")
def doctor_command(study: StudyFile = PARAMS) -> None:
    """Check GPU, cluster, disk, packages and weights before a study is started."""
    planned = Plan(config.load(study))
    found = list(doctor.findings(planned, needed(planned)))
    for verdict, subject, what in found:
        print(f"{verdict:<5}  {subject}: {what}")
    if failures := [subject for verdict, subject, _ in found if verdict == "fails"]:
        raise ValueError(f"not ready: {', '.join(failures)}")


@app.command("prune")
def prune_command(delete: Annotated[bool, typer.Option(help="Delete them, instead of listing them.")] = False) -> None:
    """List artifacts that no study of this repository and no record of dvc names."""
    for line in prune.prune([PARAMS, *sorted(Path("studies").glob("*.yaml"))], delete):
        print(line)


@data.command("check")
def check_data(name: str, study: StudyFile = PARAMS) -> None:
    """Compare a data set (of the study, or any reader) on disk with the published counts; says what is missing."""
    from finefit import inventory

    print("\n".join(inventory.check(name, config.load(study) if study.exists() else None)))


@data.command("table")
def data_table(
    document: Annotated[bool, typer.Option("--document", help="Write the tables of docs/data.md anew.")] = False,
) -> None:
    """List all data sets and sources, and where each source is to be had from on this machine."""
    from finefit import inventory

    if document:
        inventory.DOCUMENT.write_text(inventory.document(inventory.DOCUMENT.read_text(encoding="utf-8")))
    else:
        print(inventory.markdown(inventory.data_sets()), inventory.markdown(inventory.sources_table(True)), sep="\n\n")


@app.command()
def fetch(
    rows: Annotated[list[str] | None, typer.Argument(help="Rows of data/sources.csv.")] = None,
    study: StudyFile = PARAMS,
) -> None:
    """Bring sources, without names all that a study needs from outside, so that its jobs need no internet."""
    for row in rows or sorted(needed(Plan(config.load(study)))):
        print(f"{row}: {sources.fetch(row)}")


def needed(plan: Plan) -> set[str]:
    """Names of the sources that a study's jobs read."""

    def rows(job: Job) -> list[dict]:
        settings = job.settings
        weights = [settings.get("weights"), settings.get("codec", {}).get("weights")]
        return [*settings.get("sources", []), *settings.get("published", {}).values(), *filter(None, weights)]

    return {row["name"] for job in plan.jobs if job.kind != "report" for row in rows(job)}


@app.command("help-encode")
def help_encode(path: Path, study: StudyFile = PARAMS) -> None:
    """Help the process that makes a `latents` artifact: encode shards that nobody works on; that process publishes."""
    from finefit.latents import device_here, encode

    job = Plan(config.load(study)).at(path)
    encode(job, store.SCRATCH / job.digest, device_here())


@app.command("fit-codec")
def fit_codec(weights: Path) -> None:
    """Fit the small codec to the embedded source domain and write its weights: how the shipped one was made."""
    from finefit.codecs.patch_pca import fit_shipped

    fit_shipped(weights)


@app.command("export-base")
def export_base(folder: Path, study: StudyFile = PARAMS) -> None:
    """Write a study's only from-scratch run as a base, with its provenance: how the shipped one was made."""
    from finefit.models.checkpoint import export_base
    from finefit.models.delta import load_delta

    planned = Plan(config.load(study))
    runs = planned.kind("finetune")
    if len(runs) != 1 or planned.base:
        raise ValueError(f"{study}: a base is exported from a study with one run and base.weights: null")
    export_base(runs[0], folder, load_delta(runs[0].path / "delta.safetensors", None, None).state_dict())


@app.command()
def count(
    model: Annotated[str, typer.Option(help="A published size and patch.")] = "DiT-XL/2",
    as_json: Annotated[bool, typer.Option("--json", help="Every value, as JSON.")] = False,
) -> None:
    """Trained and total parameters of every method on every data set, beside the published counts."""
    from finefit import counts

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
    from finefit.models.published import import_checkpoint

    print(f"{checkpoint}: {import_checkpoint(checkpoint, run_at(run, study), delta)}")


@app.command()
def export(run: Path, checkpoint: Path, study: StudyFile = PARAMS) -> None:
    """Write a run, merged into its base, as a checkpoint that published code reads (.pt or .safetensors)."""
    from finefit.models.published import export_run

    print(f"{checkpoint}: {export_run(run_at(run, study), checkpoint)}")


def run_at(path: Path, study: Path) -> Job:
    """The fine-tuning that stands, or will stand, at `path`."""
    job = Plan(config.load(study)).at(path)
    if job.kind != "finetune":
        raise ValueError(f"{path}: is of kind {job.kind!r}, not a fine-tuning; see runs/")
    return job


@app.command()
def report(
    path: Annotated[Path | None, typer.Argument(help="The report's folder, as other jobs are named.")] = None,
    study: StudyFile = PARAMS,
    rebuild: Annotated[bool, typer.Option(help="Make it again: an edit of claims.yaml or a notebook.")] = False,
) -> None:
    """Make a study's report unless it stands, and open it on a terminal; of a half-finished study, a draft."""
    planned = Plan(config.load(study))
    job = planned.report
    if path not in (None, job.path):
        raise ValueError(f"{path}: the report of study {planned.study.name!r} is {job.path}")
    if path is None and not all(source.marker.exists() for source in job.inputs.values()):
        from finefit.report import draft

        folder = draft(job)
        print(f"{outlook(planned)}; a draft with what there is")
    else:
        if rebuild:
            job.marker.unlink(missing_ok=True)
        store.produce(job, builder("report"))
        folder = job.path
        print(outlook(planned), flush=True)
    print(f"The report: {folder / 'index.html'}")
    if path is None and sys.stdout.isatty():
        typer.launch(str((folder / "index.html").resolve()))


ClassNames = Annotated[str, typer.Option("--classes", help="Names of classes, with commas between them.")]


@app.command()
def grid(
    file: Annotated[Path, typer.Argument(help="The picture to write, .png or .jpg.")],
    classes: ClassNames,
    method: Annotated[str, typer.Option(help="An entry of the study's methods.")],
    seed: Annotated[int, typer.Option(help="One of the study's seeds.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="Pictures of each class.")] = 4,
    study: StudyFile = PARAMS,
) -> None:
    """Draw pictures of some classes from one fine-tuned method, a labelled row for each."""
    from finefit.grid import of_method

    of_method(Plan(config.load(study)), method, split(classes), count, seed, file)
    print(file)


@app.command()
def compare(
    file: Annotated[Path, typer.Argument(help="The picture to write, .png or .jpg.")],
    classes: ClassNames,
    methods: Annotated[str, typer.Option(help="Entries of the study, with commas; all where left out.")] = "",
    seed: Annotated[int, typer.Option(help="One of the study's seeds.")] = 0,
    study: StudyFile = PARAMS,
) -> None:
    """Draw the same classes from the same noise under several methods, side by side."""
    from finefit.grid import of_methods

    planned = Plan(config.load(study))
    of_methods(planned, split(methods) or list(planned.study.methods), split(classes), seed, file)
    print(file)


def split(names: str) -> list[str]:
    """Names from a list with commas."""
    return [name.strip() for name in names.split(",") if name.strip()]


@app.command("readme-table")
def readme_table(
    results: Annotated[Path, typer.Argument(help="The results.csv of a report.")],
    readme: Annotated[Path, typer.Argument(help="The page whose table between the two marks is replaced.")],
) -> None:
    """Write a report's results as a table into a Markdown page."""
    from finefit.report.readme import replace_table

    readme.write_text(replace_table(readme.read_text(encoding="utf-8"), results), encoding="utf-8")
    print(readme)


def one_thread() -> None:
    """Compute with one thread: jobs fill the cores side by side, and sums have one order, so bytes repeat."""
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def main() -> None:
    """Run the command line; errors of use end in one line and exit code 1, jobs told to stop with 75."""
    one_thread()
    try:
        app()
    except ValueError as error:
        sys.exit(f"finefit: {error}")
    except stopping.ToBeContinued:
        print("finefit: told to stop, to be continued: the same command goes on from here", file=sys.stderr)
        sys.exit(stopping.EXIT_CODE)
