"""Pictures on request: labelled grids, and folders of them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from finefit.commands import PARAMS, StudyFile, plan_of, split
from finefit.jobs import stopping

if TYPE_CHECKING:
    from finefit.study.plan import Plan

app = typer.Typer()

ClassNames = Annotated[
    str, typer.Option("--classes", help="Names of classes, with commas between them; one with a comma in quotes.")
]
Seed = Annotated[int | None, typer.Option(help="One of the study's seeds; its first where left out.")]


def first_unless(seed: int | None, planned: Plan) -> int:
    """A seed, where one is named; else the study's first."""
    return planned.study.seeds[0] if seed is None else seed


@app.command()
def grid(
    file: Annotated[Path, typer.Argument(help="The picture to write, .png or .jpg.")],
    classes: ClassNames = "",
    method: Annotated[
        str | None, typer.Option(help="An entry of the study's methods; the untouched base where left out.")
    ] = None,
    seed: Seed = None,
    count: Annotated[int, typer.Option(min=1, help="Pictures of each class.")] = 4,
    study: StudyFile = PARAMS,
) -> None:
    """Draw pictures of some classes, a labelled row for each, from one fine-tuned method or from the base itself."""
    from finefit.sampling import grid

    planned = plan_of(study)
    seed = first_unless(seed, planned)
    if method is None:
        grid.of_base(planned, split(classes), count, seed, file)
    else:
        grid.of_method(planned, method, split(classes), count, seed, file)
    print(file)


@app.command()
def compare(
    file: Annotated[Path, typer.Argument(help="The picture to write, .png or .jpg.")],
    classes: ClassNames,
    methods: Annotated[str, typer.Option(help="Entries of the study, with commas; all where left out.")] = "",
    seed: Seed = None,
    study: StudyFile = PARAMS,
) -> None:
    """Draw the same classes from the same noise under several methods, side by side."""
    from finefit.sampling.grid import of_methods

    planned = plan_of(study)
    seed = first_unless(seed, planned)
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
