"""A finished report made fit for the repository: its tables, and pages that are not too large to be kept.

Real pictures are kept where this project drew them, and left out where they are others': samples stay.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from finefit.analysis import kept
from finefit.claims import ledger
from finefit.jobs import borders, readers
from finefit.report import site

Sections = list[tuple[str, list[NotebookNode]]]
LIMIT = 1_500_000  # bytes of a page
OURS = {"embedded"}  # readers whose pictures this project draws
REAL = re.compile(r'<img [^>]*alt="\d+ (?:real|training) pictures?\b[^>]*>')  # as the report describes them
TABLES = ("metrics.json", "results.csv", "sweep.csv", kept.VALUES, "verdicts.json", "provenance-*.json")


def keep(report: Path, pages: Iterable[str], without: Iterable[str] = (), results: Path = ledger.FOLDER) -> Path:
    """Write a report's tables and some of its pages under `results`, in place of those kept of that study; gives where.

    What else stands there, such as a picture that a document shows, stays.

    Args:
        without: titles of sections that are left out of the pages, which say so.

    Raises:
        ValueError: it is no finished report, has no such page or section, or a page is too large to be kept.
    """
    notebooks = {name: report / f"notebooks/{name}.ipynb" for name in pages}
    if not list(report.glob("provenance-*.json")):
        raise ValueError(f"{report}: no finished report; `make study` makes it")
    if missing := [name for name, file in notebooks.items() if not file.exists()]:
        raise ValueError(f"{report}: no page {', '.join(missing)}; name some of {', '.join(made(report))}")
    parts = {name: sections(notebook_in(file)) for name, file in notebooks.items()}
    titles = {title for found in parts.values() for title, _ in found}
    if unknown := [title for title in without if title not in titles]:
        raise ValueError(f"{report}: no section {', '.join(unknown)} in {', '.join(notebooks)}")
    names = {name: title for name, title in (site.PAGES | site.UTILITY).items() if name in notebooks}
    results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=results, prefix=".") as scratch:
        folder = Path(scratch) / report.name
        folder.mkdir()
        for file in (file for pattern in TABLES for file in report.glob(pattern)):
            shutil.copyfile(file, folder / file.name)
        of_others = shows_others(report)
        for name, found in parts.items():
            text = page(found, list(without), name, report, names, of_others)
            (folder / site.address(name)).write_text(text, encoding="utf-8")
        target = results / report.name
        if target.exists():
            before = target.rename(Path(scratch) / "before")
            for file in before.iterdir():
                if not any(file.match(pattern) for pattern in (*TABLES, "*.html")):
                    shutil.copyfile(file, folder / file.name)
        folder.rename(target)
    return target


def notebook_in(file: Path) -> NotebookNode:
    """A report's executed notebook.

    Raises:
        ValueError: it is damaged.
    """
    with borders.reading(file, "damaged", "run `finefit report --rebuild`"):
        return nbformat.read(file, as_version=4)


def made(report: Path) -> list[str]:
    """Names of a report's pages."""
    return sorted(file.stem for file in report.glob("notebooks/*.ipynb"))


def shows_others(report: Path) -> bool:
    """Whether a report's real pictures are others'."""
    data = readers.content(next(report.glob("provenance-*.json")))["settings"]["study"]["data"]
    return any((section["reader"] or name) not in OURS for name, section in data.items())


def page(
    parts: Sections, without: list[str], notebook: str, report: Path, names: dict[str, str], of_others: bool
) -> str:
    """A page without some sections and, where they are `of_others`, without real pictures, which it says at its head.

    Raises:
        ValueError: it is larger than `LIMIT`; the message gives its sections' sizes.
    """
    cells = [cell for title, part in parts if title not in without for cell in part]
    reasons = []
    if left_out := [title for title, _ in parts if title in without]:
        reasons.append(f"for its size: {', '.join(left_out)}.")
    if of_others and any(REAL.search(text) for cell in cells for text in displayed(cell)):
        reasons.append("since they are others': real pictures.")
    if reasons:
        note = f"*Left out of this kept copy {' And '.join(reasons)} "
        note += f"`make study STUDY={report.name}` draws the page whole.*"
        cells.insert(len(parts[0][1]), nbformat.v4.new_markdown_cell(note))
    text = site.render(nbformat.v4.new_notebook(cells=cells), notebook, report.name, pages=names)
    text = REAL.sub("", text) if of_others else text
    if len(text.encode()) > LIMIT:
        sizes = sorted(((size(part), title) for title, part in parts[1:] if title not in without), reverse=True)
        listed = ", ".join(f"{title} ({megabytes(count)})" for count, title in sizes[:8])
        found = megabytes(len(text.encode()))
        raise ValueError(
            f"{report}: page {notebook} has {found}, at most {megabytes(LIMIT)}: leave out some of {listed}"
        )
    return text


def sections(content: NotebookNode) -> Sections:
    """A page's cells by section; first those before any."""
    parts: Sections = [("", [])]
    for cell in content.cells:
        if title := site.section(cell):
            parts.append((title, []))
        parts[-1][1].append(cell)
    return parts


def size(cells: list[NotebookNode]) -> int:
    """Characters that cells display."""
    return sum(len(text) for cell in cells for text in displayed(cell))


def displayed(cell: NotebookNode) -> list[str]:
    """What a cell displays, in every form."""
    return [text for output in cell.get("outputs", []) for text in output.get("data", {}).values()]


def megabytes(count: int) -> str:
    """A number of bytes to be read."""
    return f"{count / 1e6:.2f} MB"
