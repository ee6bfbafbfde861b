"""From notebooks to pages: papermill executes, nbconvert renders through our own template; pages load nothing."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbconvert import TemplateExporter
from nbformat import NotebookNode

TEMPLATE = Path(__file__).parent / "template.html"
NOTEBOOKS = Path("notebooks")
PAGES = {  # notebook, and what the reader calls its page; the first is the site's index.html
    "study": "Study",
    "claims": "Claims",
    "finediffusion": "FineDiffusion",
    "difffit": "DiffFit",
    "factors": "Factors",
    "theory": "Theory",
}
SECONDS = 600  # in which a kernel answers: a machine that is busy with the study's other jobs may take minutes
UTILITY = {"utility": "Utility"}  # where the study asks for it
FIRST = ("study", "claims")  # what an early draft has: it is to be there soon


def build(study: Path, name: str, out: Path, pages: Mapping[str, str] | None = None, draft: str = "") -> None:
    """Execute notebooks on a study and write their pages, and the executed copies under `notebooks/`.

    Args:
        pages: the notebooks with their titles; those of a study's report where left out.
        draft: what every page says at its head, where it is a draft.

    Raises:
        ValueError: notebooks failed. All pages are in `out` then, those of failed notebooks up to the failing cell.
    """
    pages = PAGES if pages is None else pages
    kept = out / "notebooks"
    kept.mkdir()
    failures, waiting = [], [*pages]
    while waiting:
        with kernel() as python:
            while waiting:
                if failure := page(waiting.pop(0), study, name, out, pages, python, draft):
                    failures.append(failure)
                    break  # the kernel may be dead, so the next gets another
    if failures:
        raise ValueError("\n".join([*failures, f"The other pages: {out / address('study')}"]))


def page(
    notebook: str,
    study: Path,
    name: str,
    out: Path,
    pages: Mapping[str, str],
    python: AsyncKernelManager,
    draft: str = "",
) -> str:
    """Make one page; what failed, or nothing."""
    source, executed, failure = NOTEBOOKS / f"{notebook}.ipynb", out / f"notebooks/{notebook}.ipynb", ""
    try:
        execute(source, executed, {"study": str(study)}, python)
    except ValueError as error:
        failure = f"{error}\nThe page up to there: {out / address(notebook)}"
        if not executed.exists():
            nbformat.write(nbformat.v4.new_notebook(), executed)
    text = render(nbformat.read(executed, as_version=4), notebook, name, failure, pages, draft)
    (out / address(notebook)).write_text(text, encoding="utf-8")
    return failure


def address(notebook: str) -> str:
    """A page's file name."""
    return "index.html" if notebook == next(iter(PAGES)) else f"{notebook}.html"


@contextmanager
def kernel() -> Iterator[AsyncKernelManager]:
    """A Python in which notebooks are executed one after the other: what they import is imported once."""
    python = AsyncKernelManager(kernel_name="python3")
    try:
        yield python
    finally:
        if python.has_kernel:
            run_sync(python.shutdown_kernel)(now=True)


async def clear(python: AsyncKernelManager) -> None:
    """Let a kernel forget what the notebook before defined, if there was one."""
    if python.has_kernel:
        client = python.client()
        client.start_channels()
        await client.execute_interactive("get_ipython().reset()", silent=True, timeout=SECONDS)
        client.stop_channels()


def execute(notebook: Path, executed: Path, parameters: dict[str, str], python: AsyncKernelManager) -> None:
    """Run a notebook in the current folder and keep the executed copy, also of a run that failed.

    Args:
        python: a `kernel`, in which nothing is left of the notebooks before.

    Raises:
        ValueError: a cell failed; the message names notebook, cell, the error's last line and the partial copy.
    """
    import papermill

    from finefit.report import engine

    logging.getLogger("papermill.translators").setLevel(logging.ERROR)  # else: "Black encountered an error"
    options = {"progress_bar": False, "start_timeout": SECONDS, "extra_arguments": ["--log-level=ERROR"]}
    options["engine_name"] = engine.NAME
    try:
        run_sync(clear)(python)
        papermill.execute_notebook(notebook, executed, parameters, kernel_name="python3", km=python, **options)
    except papermill.PapermillExecutionError as error:
        failed, said = f"cell {error.exec_count} failed", f"{error.ename}: {error.evalue}"
    except Exception as error:  # no kernel, or the kernel died: same advice, its own words
        failed, said = "not executed", f"{type(error).__name__}: {error}"
    else:
        return
    raise ValueError(f"{notebook}: {failed}: {said.strip().splitlines()[-1]}\nThe notebook up to there: {executed}")


def ledger(out: Path) -> Path:
    """Write the ledger of all studies as a page, ledger.html, beside the ledger.json that it is made from.

    Raises:
        ValueError: its notebook fails.
    """
    with tempfile.TemporaryDirectory() as scratch, kernel() as python:
        executed = Path(scratch) / "ledger.ipynb"
        execute(NOTEBOOKS / "ledger.ipynb", executed, {"file": str(out / "ledger.json")}, python)
        content = nbformat.read(executed, as_version=4)
        text = render(content, "ledger", "All kept studies", pages={"ledger": "Ledger"})
    (out / "ledger.html").write_text(text, encoding="utf-8")
    return out / "ledger.html"


def render(
    content: NotebookNode,
    notebook: str,
    study: str,
    failure: str = "",
    pages: Mapping[str, str] | None = None,
    draft: str = "",
) -> str:
    """One self-contained HTML page from an executed notebook: its prose and what its cells display.

    Args:
        pages: the site's notebooks with their titles; those of a study's report where left out.
    """
    pages = PAGES if pages is None else pages
    content = with_content(content)
    exporter = TemplateExporter(template_file=str(TEMPLATE))
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    resources = {
        "title": pages[notebook],
        "study": study,
        "address": address(notebook),
        "pages": {address(other): name for other, name in pages.items()},
        "sections": [title for cell in content.cells if (title := section(cell))],
        "failure": failure,
        "draft": draft,
    }
    text, _ = exporter.from_notebook_node(content, resources)
    return text


def with_content(content: NotebookNode) -> NotebookNode:
    """A notebook without the sections, and the parts of sections, whose cells all ran and display nothing."""
    head, *sections = parts(content.cells, "## ")
    kept = [*head]
    for section in filter(displays, sections):
        own, *further = parts(section, "### ")
        kept += own + [cell for part in filter(displays, further) for cell in part]
    return nbformat.v4.new_notebook(cells=kept, metadata=content.metadata)


def parts(cells: list[NotebookNode], mark: str) -> list[list[NotebookNode]]:
    """Cells in parts, each but the first of which begins with a heading of a level, such as "## "."""
    found: list[list[NotebookNode]] = [[]]
    for cell in cells:
        if cell.cell_type == "markdown" and cell.source.startswith(mark):
            found.append([])
        found[-1].append(cell)
    return found


def displays(cells: list[NotebookNode]) -> bool:
    """Whether there is anything to see: some cell's output, or prose alone; a cell that did not run counts as such."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    forms = [output.get("data", {}) for cell in code for output in cell.outputs]
    # Beside HTML stands the plain text "<IPython.core.display.HTML object>", also where the HTML is empty.
    texts = [form["text/html"] if "text/html" in form else "".join(map(str, form.values())) for form in forms]
    shown = [text for text in texts if text.strip()]
    return bool(shown) or not code or any(cell.execution_count is None for cell in code)


def section(cell: NotebookNode) -> str:
    """The title of the section that a cell begins, empty for one that begins none."""
    first = cell.source.partition("\n")[0]
    return first.removeprefix("## ") if cell.cell_type == "markdown" and first.startswith("## ") else ""
