"""The bench's page on disk."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from finefit.analysis import kept
from finefit.bench.asked import Asked
from finefit.bench.beside import Beside
from finefit.report import site

FIRST = next(iter(site.PAGES))  # whose address is index.html, where drawers are looked for


def build(asked: Asked, settings: dict[str, Any]) -> Path:
    """Write the page of a finished bench, and its scores by seed (seeds.csv) beside it; gives the page.

    Raises:
        ValueError: its notebook fails.
    """
    asked.folder.mkdir(parents=True, exist_ok=True)
    method = asked.plan.study.methods[asked.entry]["method"]
    parameters = {"method": method, "settings": json.dumps(settings), "kept": str(asked.kept.folder)}
    with tempfile.TemporaryDirectory() as scratch, site.kernel() as python:
        executed = Path(scratch) / "bench.ipynb"
        site.execute(site.NOTEBOOKS / "bench.ipynb", executed, parameters, python)
        content = nbformat.read(executed, as_version=4)
    page = asked.folder / "index.html"
    page.write_text(site.render(content, FIRST, asked.entry, pages={FIRST: "Bench"}), encoding="utf-8")
    kept.write(Beside(asked), asked.folder)
    return page
