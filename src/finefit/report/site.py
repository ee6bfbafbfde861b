"""From notebook to page: papermill executes, nbconvert renders through our own template; the page loads nothing."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbconvert import TemplateExporter

TEMPLATE = Path(__file__).parent / "template.html"


def execute(notebook: Path, executed: Path, parameters: dict[str, str]) -> None:
    """Run a notebook in the current folder and keep the executed copy, also of a run that failed.

    Raises:
        ValueError: a cell failed; the message names notebook, cell, the error's last line and the partial copy.
    """
    import papermill

    # A machine that is busy with the study's other jobs may take minutes to start a kernel.
    options = {"progress_bar": False, "start_timeout": 600, "extra_arguments": ["--log-level=ERROR"]}
    try:
        papermill.execute_notebook(notebook, executed, parameters, kernel_name="python3", **options)
    except papermill.PapermillExecutionError as error:
        failed, said = f"cell {error.exec_count} failed", f"{error.ename}: {error.evalue}"
    except Exception as error:  # no kernel, or the kernel died: same advice, its own words
        failed, said = "not executed", f"{type(error).__name__}: {error}"
    else:
        return
    raise ValueError(f"{notebook}: {failed}: {said.strip().splitlines()[-1]}\nThe notebook up to there: {executed}")


def render(executed: Path, title: str) -> str:
    """One self-contained HTML page from an executed notebook: its prose and what its cells display."""
    notebook = nbformat.read(executed, as_version=4)
    exporter = TemplateExporter(template_file=str(TEMPLATE))
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    sections = [
        cell.source.splitlines()[0].removeprefix("## ")
        for cell in notebook.cells
        if cell.cell_type == "markdown" and cell.source.startswith("## ")
    ]
    page, _ = exporter.from_notebook_node(notebook, {"title": title, "sections": sections})
    return page
