"""Reports: making and keeping them, the ledger of all studies, pairs of methods, and the README's tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from finefit.commands import PARAMS, StudyFile, plan_of, split
from finefit.commands.jobs import builder
from finefit.jobs import store
from finefit.outlook.time_left import outlook
from finefit.study import turns
from finefit.study.plan import Plan

app = typer.Typer()


@app.command()
def report(
    path: Annotated[Path | None, typer.Argument(help="The report's folder, as other jobs are named.")] = None,
    study: StudyFile = PARAMS,
    rebuild: Annotated[bool, typer.Option(help="Make it again: an edit of claims.yaml or a notebook.")] = False,
    seeds: Annotated[int | None, typer.Option(help="Only draw the draft of the first so many seeds.")] = None,
) -> None:
    """Make a study's report unless it stands, and open it on a terminal; of a half-finished study, a draft."""
    planned = plan_of(study)
    job = planned.report
    if seeds is not None:
        print(f"The report: {early_draft(planned, seeds) / 'index.html'}")
        return
    if path not in (None, job.path):
        raise ValueError(f"{path}: the report of study {planned.study.name!r} is {job.path}")
    if path is None and not all(source.marker.exists() for source in job.inputs.values()):
        from finefit.report import draft

        folder = draft(job, f"Draft with what there is: {outlook(planned)}.")
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


def early_draft(planned: Plan, seeds: int) -> Path:
    """Draw the draft of a study's first seeds; gives its folder.

    Raises:
        ValueError: the study has no such draft.
    """
    from finefit.report import of_first_seeds

    every = {draft.seeds: draft for draft in turns.drafts(planned)}
    if seeds not in every:
        known = f"1 to {len(every)}" if every else "no"
        raise ValueError(f"--seeds {seeds}: study {planned.study.name!r} has drafts of {known} seeds")
    return of_first_seeds(every[seeds], len(planned.study.seeds))


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
    metric: Annotated[str | None, typer.Option(help="The metric whose pairs are listed; else the distance.")] = None,
) -> None:
    """Say which methods of a finished report are separated, metric by metric, and every pair of one metric."""
    from finefit.analysis import kept
    from finefit.report.pairs import as_text

    found = kept.read(folder)
    if found is None:
        raise ValueError(f"{folder}: no values by seed ({kept.VALUES}) with the provenance of a report")
    print(as_text(found, metric or found.distance))
