"""The tables of further scores, and of those by the judges beside the study's own."""

from __future__ import annotations

from IPython.display import HTML

from finefit import judges
from finefit.analysis.collect import Results
from finefit.analysis.scores import anchor
from finefit.report.judging import grey
from finefit.report.tables import named, without
from finefit.report.text import heading, link, measured, table

FURTHER = {
    "kid_probe": "kid_probe<small>lower is nearer</small>",
    "precision_probe": "precision_probe<small>higher is better</small>",
    "recall_probe": "recall_probe<small>higher is better</small>",
    "density_probe": "density_probe<small>1 is what real ones have</small>",
    "coverage_probe": "coverage_probe<small>higher is better</small>",
    "memorised_probe": "memorised_probe<small>1 % is what new pictures have</small>",
    "denoising_loss": "denoising loss<small>lower is better</small>",
    "drift": "drift<small>0 is the base itself</small>",
}


def scores(found: Results) -> HTML:
    """Per group: the further metrics of every method at the main scale, the other judges' below the probe's."""
    parts = [scores_of(found, {column: head for column, head in FURTHER.items() if column in found.metrics})]
    for name in found.study.judges():
        if name != judges.OWN:
            parts.append(scores_of(found, {column: column for column in judges.columns(name)}))
    return HTML("".join(parts))


def scores_of(found: Results, columns: dict[str, str]) -> str:
    """Per group: some metrics of every method at the main scale; `columns` says how each is headed."""
    parts = []
    for group in found.groups:
        rows, failed = [], found.failures(group)
        for row in found.rows_of(group):
            cells = [measured(row[metric], metric, without(row, metric)) for metric in columns]
            linked = [
                grey(link(anchor(row), text) if row[metric].count else text, failed.get(metric))
                for metric, text in zip(columns, cells, strict=True)
            ]
            rows.append([named(found, row), *linked])
        parts.append(heading(group, len(found.groups)) + table(["", *columns.values()], rows, "scores"))
    return "".join(parts)
