"""Pictures, tables and the ledger of all studies, on request."""

from __future__ import annotations

import csv
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from finefit.commands import PARAMS, StudyFile, plan_of
from finefit.jobs import stopping

app = typer.Typer()

ClassNames = Annotated[
    str, typer.Option("--classes", help="Names of classes, with commas between them; one with a comma in quotes.")
]


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
    from finefit.sampling.grid import of_method

    of_method(plan_of(study), method, split(classes), count, seed, file)
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
    from finefit.sampling.grid import of_methods

    planned = plan_of(study)
    of_methods(planned, split(methods) or list(planned.study.methods), split(classes), seed, file)
    print(file)


class Ending(StrEnum):
    """Kinds of files that pictures are written as."""

    png = "png"
    webp = "webp"


@app.command("pictures")
def pictures_command(
    run: Annotated[Path, typer.Argument(help="A fine-tuning of the study, below runs/.")],
    folder: Annotated[
        Path, typer.Argument(help="Where superclass/class/00000.png go; continued where it was cut short.")
    ],
    per_class: Annotated[int | None, typer.Option(min=1, help="Pictures of every class.")] = None,
    balance: Annotated[
        int | None, typer.Option(min=1, help="Fill classes up to so many, training pictures counted; rare ones first.")
    ] = None,
    classes: Annotated[str, typer.Option(help="Names of classes, with commas; all where left out.")] = "",
    ending: Annotated[Ending, typer.Option("--format", help="Of the files; both keep every pixel.")] = Ending.png,
    study: StudyFile = PARAMS,
) -> None:
    """Fill a folder with generated pictures, each tagged; the same command goes on, or helps another process."""
    stopping.listen()
    from finefit.commands.networks import finetuning
    from finefit.export.pictures import fill

    planned = plan_of(study)
    count = fill(planned, finetuning(planned, run), folder, per_class, split(classes), balance, ending)
    print(f"{folder}: {count:,} pictures, listed in metadata.csv")


def split(names: str) -> list[str]:
    """Names from a list with commas: `beach,"church, indoor"` are two.

    Raises:
        ValueError: there is none.
    """
    found = [name.strip() for name in next(csv.reader([names], skipinitialspace=True), []) if name.strip()]
    if not found and names.strip():
        raise ValueError(f"{names!r}: no name in it")
    return found


@app.command("readme-table")
def readme_table(
    results: Annotated[Path, typer.Argument(help="The results.csv of a report.")],
    readme: Annotated[Path, typer.Argument(help="The page whose table between the two marks is replaced.")],
) -> None:
    """Write a report's results as a table into a Markdown page."""
    from finefit.report.readme import replace_table

    readme.write_text(replace_table(readme.read_text(encoding="utf-8"), results), encoding="utf-8")
    print(readme)


@app.command("ledger")
def ledger_command(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder of reports, such as reports; else docs/results.")
    ] = None,
) -> None:
    """Gather the verdicts of every report in a folder into its ledger.html; of docs/results, also into the README."""
    from finefit.claims import ledger
    from finefit.report import site
    from finefit.report.readme import replace_verdicts

    where = folder or ledger.FOLDER
    file = ledger.write(ledger.gather(where), where)
    print(file, site.ledger(where), sep="\n")
    if folder is None:
        readme = Path("README.md")
        readme.write_text(replace_verdicts(readme.read_text(encoding="utf-8"), file), encoding="utf-8")
        print(readme)


@app.command("keep")
def keep_command(
    report: Annotated[Path, typer.Argument(help="A finished report, such as reports/mini.")],
    pages: Annotated[str, typer.Option(help="Names of its pages, with commas between them.")] = "study,claims",
    without: Annotated[str, typer.Option(help="Titles of sections to leave out, with commas between them.")] = "",
) -> None:
    """Keep a report under docs/results: its tables, and pages of at most 1.5 MB; then run `finefit ledger`."""
    from finefit.report import keep

    print(keep.keep(report, split(pages), split(without)))


@app.command()
def pairs(
    folder: Annotated[Path, typer.Argument(help="A kept report, or one under reports/, with its seeds.csv.")],
    metric: Annotated[str, typer.Option(help="The metric whose pairs are listed.")] = "fd_probe",
) -> None:
    """Say which methods of a finished report are separated, metric by metric, and every pair of one metric."""
    from finefit.analysis import kept
    from finefit.report.pairs import as_text

    found = kept.read(folder)
    if found is None:
        raise ValueError(f"{folder}: no values by seed ({kept.VALUES}) with the provenance of a report")
    print(as_text(found, metric))
