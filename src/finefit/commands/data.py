"""Looking at data sets: `finefit data check NAME`, `finefit data table`."""

from __future__ import annotations

from typing import Annotated

import typer

from finefit.commands import PARAMS, StudyFile
from finefit.commands.jobs import data
from finefit.study import reading


@data.command("check")
def check_data(name: str, study: StudyFile = PARAMS) -> None:
    """Compare a data set (of the study, or any reader) on disk with the published counts; says what is missing."""
    from finefit.outlook import data_check

    print("\n".join(data_check.check(name, reading.load(study) if study.exists() else None)))


@data.command("table")
def data_table(
    document: Annotated[bool, typer.Option("--document", help="Write the tables of docs/data.md anew.")] = False,
) -> None:
    """List all data sets and sources, and where each source is to be had from on this machine."""
    from finefit.outlook import data_check

    if document:
        data_check.DOCUMENT.write_text(data_check.document(data_check.DOCUMENT.read_text(encoding="utf-8")))
    else:
        tables = data_check.data_sets(), data_check.sources_table(with_state=True)
        print(*map(data_check.markdown, tables), sep="\n\n")
