"""Reports kept for the repository: the tables as they are, pages without what makes them too large."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from finefit.report import keep

DRAWINGS = '{"settings": {"study": {"data": {"embedded": {"reader": null}}}}}'
TABLES = {"metrics.json": "{}", "seeds.csv": "seed\n0\n", "verdicts.json": "[]", "provenance-0123abcd.json": DRAWINGS}


def shown(html: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", {"text/html": html})])


@pytest.fixture
def report(tmp_path) -> Path:
    """A report whose sections show a letter so often."""
    sizes = {"Verdicts": ("v", 450_000), "Results": ("r", 1_000_000), "Cost": ("c", 900), "Training": ("t", 300_000),
             "Notes": ("n", 200), "How each number was made": ("d", 70_000)}  # fmt: skip
    cells = [nbformat.v4.new_markdown_cell("# A study")]
    for title, (letter, count) in sizes.items():
        cells += [nbformat.v4.new_markdown_cell(f"## {title}\nprose"), shown(f"<p>{letter * count}</p>")]
    folder = tmp_path / "reports" / "some"
    (folder / "notebooks").mkdir(parents=True)
    for name in ("study", "theory"):
        nbformat.write(nbformat.v4.new_notebook(cells=cells if name == "study" else cells[:3]),
                       folder / f"notebooks/{name}.ipynb")  # fmt: skip
    for name, text in TABLES.items():
        (folder / name).write_text(text)
    return folder


def test_a_page_that_is_too_large_names_its_largest_sections_and_is_kept_without_them(report, tmp_path):
    with pytest.raises(ValueError, match=r"some: page study has 1\.8\d MB, at most 1\.50 MB: leave out some of Results "
                       r"\(1\.00 MB\), Verdicts \(0\.45 MB\), Training \(0\.30 MB\), How"):  # fmt: skip
        keep.keep(report, ["study"], [], tmp_path / "results")
    folder = keep.keep(report, ["study", "theory"], ["Training", "Results"], tmp_path / "results")
    page = (folder / "index.html").read_text()
    sections = re.findall(r"<h2[^>]*>([^<&]+)", page)
    assert sections == ["Verdicts", "Cost", "Notes", "How each number was made"]
    assert "Left out of this kept copy for its size: Results, Training." in page
    assert "make study STUDY=some" in page
    assert {file.name for file in folder.iterdir()} == {*TABLES, "index.html", "theory.html"}
    assert all((folder / name).read_text() == text for name, text in TABLES.items())
    assert set(re.findall(r'<a href="(\w+\.html)"', page)) == {"index.html", "theory.html"}
    assert "Left out" not in (folder / "theory.html").read_text()


def test_pages_and_tables_kept_before_are_replaced_and_pictures_stay(report, tmp_path):
    before = tmp_path / "results" / "some"
    before.mkdir(parents=True)
    for name in ("provenance-00000000.json", "claims.html", "scores.png"):
        (before / name).write_text("{}")
    folder = keep.keep(report, ["theory"], [], tmp_path / "results")
    assert folder == before
    assert {file.name for file in folder.iterdir()} == {*TABLES, "theory.html", "scores.png"}
    assert [file.name for file in folder.parent.iterdir()] == ["some"]


SHEET = (
    '<td><img loading="lazy" src="data:image/webp;base64,{}" alt="2 real pictures of a &gt; b" width="4"></td>'
    '<td><img src="data:image/webp;base64,SAMPLES" alt="6 samples, the nearest to training pictures first"></td>'
    '<td><img src="data:image/webp;base64,{}" alt="6 training pictures nearest to the samples above them"></td>'
)


@pytest.mark.parametrize("reader", ["embedded", "caltech101"])
def test_real_pictures_are_kept_where_they_are_ours(report, tmp_path, reader):
    """Samples always; of a data set under its reader's name as of one that names it."""
    (report / "provenance-0123abcd.json").write_text(
        DRAWINGS.replace(
            '"embedded": {"reader": null}', f'"{reader}": {{"reader": null}}, "second": {{"reader": "embedded"}}'
        )
    )
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# A study"), shown(SHEET.format("ONE", "TWO"))]
    )
    nbformat.write(notebook, report / "notebooks/study.ipynb")
    page = (keep.keep(report, ["study"], [], tmp_path / "results") / "index.html").read_text()
    assert "SAMPLES" in page
    assert (
        "ONE" in page,
        "TWO" in page,
        "others': real pictures" in page.replace("&#x27;", "'").replace("’", "'"),
    ) == ((True, True, False) if reader == "embedded" else (False, False, True))


def test_nothing_is_replaced_by_what_is_no_report_or_has_no_such_page(report, tmp_path):
    with pytest.raises(ValueError, match="some: no page utility; name some of study, theory"):
        keep.keep(report, ["study", "utility"], [], tmp_path / "results")
    with pytest.raises(ValueError, match="some: no section Cots in study"):
        keep.keep(report, ["study"], ["Cots"], tmp_path / "results")
    (report / "provenance-0123abcd.json").unlink()
    with pytest.raises(ValueError, match="some: no finished report; `make study` makes it"):
        keep.keep(report, ["study"], [], tmp_path / "results")
    assert not (tmp_path / "results").exists()
