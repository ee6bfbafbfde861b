"""A finished report made fit for the repository: its tables, and pages that are not too large to be kept."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from finefit.report import gathered, kept, site

LIMIT = 1_500_000  # bytes of a page
LEAVES = 50_000  # bytes of a section that leaving it out is worth it
DRAWERS = "How each number was made"  # every number's link leads there
TABLES = ("metrics.json", "results.csv", "sweep.csv", kept.VALUES, "verdicts.json", "provenance-*.json")


def keep(report: Path, pages: Iterable[str], results: Path = gathered.FOLDER) -> Path:
    """Write a report's tables and some of its pages under `results`, in place of what is kept of that study; where.

    Raises:
        ValueError: it is no finished report, or has no such page.
    """
    notebooks = {name: report / f"notebooks/{name}.ipynb" for name in pages}
    if not list(report.glob("provenance-*.json")):
        raise ValueError(f"{report}: no finished report; `make study` makes it")
    if missing := [name for name, file in notebooks.items() if not file.exists()]:
        raise ValueError(f"{report}: no page {', '.join(missing)}; name some of {', '.join(made(report))}")
    titles = {name: title for name, title in (site.PAGES | site.UTILITY).items() if name in notebooks}
    results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=results, prefix=".") as scratch:
        folder = Path(scratch) / report.name
        folder.mkdir()
        for file in (file for pattern in TABLES for file in report.glob(pattern)):
            shutil.copyfile(file, folder / file.name)
        for name, file in notebooks.items():
            text = short(nbformat.read(file, as_version=4), name, report.name, titles)
            (folder / site.address(name)).write_text(text, encoding="utf-8")
        target = results / report.name
        if target.exists():
            target.rename(Path(scratch) / "before")
        folder.rename(target)
    return target


def made(report: Path) -> list[str]:
    """Names of a report's pages."""
    return sorted(file.stem for file in report.glob("notebooks/*.ipynb"))


def short(content: NotebookNode, notebook: str, study: str, titles: dict[str, str]) -> str:
    """A page of at most `LIMIT` bytes if that can be: its last large sections are left out, and named at its head."""
    left_out: list[str] = []
    parts = sections(content)
    while True:
        cells = [cell for title, part in parts if title not in left_out for cell in part]
        if left_out:
            note = f"*Left out of this kept copy for its size: {', '.join(reversed(left_out))}. "
            note += f"`make study STUDY={study}` draws the page whole.*"
            cells.insert(len(parts[0][1]), nbformat.v4.new_markdown_cell(note))
        page = nbformat.from_dict(content | {"cells": cells})
        text = site.render(page, notebook, study, pages=titles)
        large = [title for title, part in parts[1:] if title not in {*left_out, DRAWERS} and size(part) > LEAVES]
        if len(text.encode()) <= LIMIT or not large:
            return text
        left_out.append(large[-1])


def sections(content: NotebookNode) -> list[tuple[str, list[NotebookNode]]]:
    """A page's cells by section; first those before any."""
    parts: list[tuple[str, list[NotebookNode]]] = [("", [])]
    for cell in content.cells:
        if title := site.section(cell):
            parts.append((title, []))
        parts[-1][1].append(cell)
    return parts


def size(cells: list[NotebookNode]) -> int:
    """Characters that cells display."""
    shown = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return sum(len(text) for data in shown for text in data.values())
