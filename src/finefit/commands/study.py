"""Looking at a whole study, before, during and after it runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from finefit.commands import PARAMS, StudyFile, needed, plan_of
from finefit.data import sources
from finefit.jobs import store
from finefit.jobs.faults import require_folder
from finefit.outlook import doctor, forecast, prune

app = typer.Typer()


@app.command()
def plan(study: Annotated[Path, typer.Argument(help="The study: params.yaml or a file of studies/.")] = PARAMS) -> None:
    """Say before anything runs what a study will compute and why, its hours and its disk."""
    planned = plan_of(study)
    for line in forecast.lines(planned):
        print(line)
    print(forecast.check_disk(planned, needed(planned)))


@app.command()
def verify(study: StudyFile = PARAMS) -> None:
    """Check every published artifact of a study against its recorded checksums."""
    jobs = [job for job in plan_of(study).jobs if job.marker.exists()]
    faults = []
    for job in jobs:
        try:
            store.check(job)
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise ValueError("\n".join(faults))
    print(f"{len(jobs)} artifacts are as they were published")


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Photographs: superclass/class/picture.jpg or class/picture.jpg.")],
    taxonomy: Annotated[Path | None, typer.Option(help="A table with a superclass for every class.")] = None,
    out: Annotated[Path | None, typer.Option(help="The study to write; FOLDER's name with .yaml if not given.")] = None,
) -> None:
    """Write a study for a folder of photographs, with comments, as it suits this machine; say what to run next."""
    from finefit.outlook import new_study

    file = out or Path(f"{folder.resolve().name}.yaml")
    require_folder(file)
    print("\n".join(new_study.write(folder, taxonomy, file)))


@app.command("doctor")
def doctor_command(study: StudyFile = PARAMS) -> None:
    """Check GPU, cluster, disk, packages and weights before a study is started."""
    planned = plan_of(study)
    found = list(doctor.findings(planned, needed(planned)))
    for verdict, subject, what in found:
        print(f"{verdict:<5}  {subject}: {what}")
    if failures := [subject for verdict, subject, _ in found if verdict == "fails"]:
        raise ValueError(f"not ready: {', '.join(failures)}")


@app.command("prune")
def prune_command(delete: Annotated[bool, typer.Option(help="List them, ask, and delete them.")] = False) -> None:
    """List artifacts that no study that stands or ran here and no record of dvc names."""
    files = prune.studies([file for file in [PARAMS, *sorted(Path("studies").glob("*.yaml"))] if file.exists()])
    print("Kept is what these need:", *files)
    found = prune.unused(files)
    for line in prune.listing(found):
        print(line)
    if found and not delete:
        print("`finefit prune --delete` asks whether to delete them")
    elif found and typer.confirm("Delete them?"):
        for path in found:
            shutil.rmtree(path)
        print("deleted")


@app.command()
def fetch(
    rows: Annotated[list[str] | None, typer.Argument(help="Rows of data/sources.csv.")] = None,
    study: StudyFile = PARAMS,
) -> None:
    """Bring sources, without names all that a study needs from outside, so that its jobs need no internet."""
    for row in rows or sorted(needed(plan_of(study))):
        print(f"{row}: {sources.fetch(row)}")
