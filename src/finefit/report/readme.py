"""The README's tables, each written from committed results by a command and kept true by a test."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from finefit import judges
from finefit.analysis import kept
from finefit.analysis.scores import BESIDE_DISTANCE
from finefit.claims import ledger, rules
from finefit.claims.record import Record
from finefit.jobs.quantities import plural
from finefit.report.text import cell, number

START, END = "<!-- results: finefit readme-table {} README.md -->", "<!-- end of results -->"
VERDICTS, VERDICTS_END = "<!-- verdicts: finefit ledger -->", "<!-- end of verdicts -->"


def markdown(results: Path) -> str:
    """A Markdown table of a report's results: mean and half the 95 % interval of every method."""
    report = kept.read(results.parent)
    distance = report.distance if report else judges.column("fd", judges.OWN)
    metrics = [distance, *BESIDE_DISTANCE]
    table = kept.table(results, ["entry", "guidance", "trained_share", *metrics, *(f"{name}_half" for name in metrics)])
    lines = ["| method | guidance | trained share | " + " | ".join(metrics) + " |", "|---|---|" + "---:|" * 5]
    for _, row in table.iterrows():
        cells = [row["entry"], row["guidance"], f"{number(100 * row['trained_share'])} %"]
        lines.append("| " + " | ".join([*cells, *(cell(row, metric) for metric in metrics)]) + " |")
    return "\n".join(lines) + "\n"


def replace_table(page: str, results: Path) -> str:
    """The page with the table between its two marks replaced.

    Raises:
        ValueError: the page has no such marks.
    """
    return between(page, START.format(results.as_posix()), markdown(results), END)


def replace_verdicts(page: str, file: Path) -> str:
    """The page with the table of verdicts between its two marks replaced by that of a ledger.json.

    Raises:
        ValueError: the page has no such marks.
    """
    return between(page, VERDICTS, verdicts(ledger.load(file)), VERDICTS_END)


def between(page: str, start: str, table: str, end: str) -> str:
    """The page with what stands between two marks replaced by a table.

    Raises:
        ValueError: the page has no such marks.
    """
    before, found, rest = page.partition(start)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"no place for the table: the page needs the lines\n{start}\n{end}")
    return f"{before}{start}\n{table}{end}{after}"


def verdicts(lines: list[Record]) -> str:
    """The README's verdicts: a line a paper, with how many of its claims have which."""
    papers: dict[str, Counter[str]] = {}
    for one in lines:
        papers.setdefault(one["paper"], Counter())[one["verdict"]] += 1
    rows = []
    for paper, found in papers.items():
        counted = ", ".join(f"{found[verdict]} {verdict}" for verdict in rules.VERDICTS if found[verdict])
        rows.append(f"- [{paper}]({ledger.FOLDER.as_posix()}/ledger.html), {plural(found.total(), 'claim')}: {counted}")
    return "\n".join(rows) + "\n"
