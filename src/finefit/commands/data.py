"""Looking at data sets: `finefit data check NAME`, `finefit data table`."""

from __future__ import annotations

from typing import Annotated

import typer

from finefit import studies
from finefit.commands import PARAMS, StudyFile
from finefit.commands.jobs import data


@data.command("check")
def check_data(name: str, study: StudyFile = PARAMS) -> None:
    """Compare a data set (of the study, or any reader) on disk with the published counts; says what is missing."""
    from finefit import inventory

    print("\n".join(inventory.check(name, studies.load(study) if study.exists() else None)))


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
