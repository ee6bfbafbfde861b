"""The tables of the report. Every number leads to the drawer of the runs that it was computed from."""

from __future__ import annotations

import math
from html import escape

import pandas as pd
from IPython.display import HTML

from finefit import judges
from finefit.analysis.collect import Results
from finefit.analysis.scores import PUBLISHED, Scores, anchor
from finefit.jobs.quantities import duration, size
from finefit.report.drawers import reference_anchor
from finefit.report.judging import grey
from finefit.report.style import colour
from finefit.report.text import ABSENT, DASH, PENDING, heading, lacking, link, measured, number, shown, table

COLUMNS = {
    "diversity_probe": "diversity_probe<small>as real is best</small>",
    "class_accuracy": "class accuracy<small>higher is better</small>",
    "superclass_accuracy": "superclass accuracy<small>higher is better</small>",
    "fid": "FID<small>Inception</small>",
    "lpips": "LPIPS<small>published weights</small>",
}
FURTHER = {
    "fd_probe": "fd_probe<small>lower is nearer to real</small>",
    "kid_probe": "kid_probe<small>lower is nearer</small>",
    "precision_probe": "precision_probe<small>higher is better</small>",
    "recall_probe": "recall_probe<small>higher is better</small>",
    "density_probe": "density_probe<small>1 is what real ones have</small>",
    "coverage_probe": "coverage_probe<small>higher is better</small>",
    "memorised_probe": "memorised_probe<small>1 % is what new pictures have</small>",
    "denoising_loss": "denoising loss<small>lower is better</small>",
    "drift": "drift<small>0 is the base itself</small>",
}
COSTS = ["trained parameters", "share of all", "delta file", "training time", "peak memory"]


def results(found: Results) -> HTML:
    """Per group: what real pictures and the codec score by themselves, then every method at the main scale."""
    metrics = [metric for metric in COLUMNS if metric not in PUBLISHED or metric in found.metrics]
    metrics = [found.distance, *metrics]
    head = ["", *(headed(metric) for metric in metrics), *COSTS]
    parts = []
    for group in found.groups:
        methods = [method_row(found, row, metrics) for row in found.rows_of(group)]
        rows = [[*cells, *[""] * (len(head) - len(cells))] for cells in floors(found, group)] + methods
        parts.append(heading(group, len(found.groups)) + table(head, rows, "results"))
    absent = " and ".join(COLUMNS[metric].split("<")[0] for metric in PUBLISHED if metric not in metrics)
    note = f'<p class="note">{absent}: weights absent. <code>evaluate.published</code> in the study asks for them.</p>'
    return HTML("".join(parts) + (note if absent else ""))


def headed(metric: str) -> str:
    """A metric's head: its name, and which way is better; what `COLUMNS` lacks is a judge's Frechet distance."""
    return COLUMNS.get(metric, f"{metric}<small>lower is nearer to real</small>")


def floors(found: Results, group: str) -> list[list[str]]:
    """The first cells of two rows: real pictures against real pictures, and real pictures through the codec."""
    real, mark, reasons = found.reference(group), reference_anchor(found, group), found.absent(group)
    if real is None:
        return [["real pictures", PENDING], ["codec alone", PENDING]]

    def cell(key: str, metric: str) -> str:
        if key in reasons:
            return lacking(reasons[key])
        return link(mark, shown(real[key], metric)) if key in real else ""

    distance = found.distance
    size = real.get(f"{distance}_floor_size", math.nan)
    halves = "real pictures" + ("" if math.isnan(size) else f"<small>{size:,.0f} against {size:,.0f}</small>")
    accuracies = [cell(f"classifier_{metric}", metric) for metric in ("class_accuracy", "superclass_accuracy")]
    floor = [cell(f"{distance}_floor", distance), cell("diversity_probe_real", "diversity_probe"), *accuracies]
    codec = [cell(f"codec_{distance}", distance), "", cell("codec_class_accuracy", "class_accuracy")]
    return [[halves, *floor], [f"codec alone<small>{number(real['codec_psnr'])} dB</small>", *codec]]


def method_row(found: Results, row: pd.Series, metrics: list[str]) -> list[str]:
    """One method at one guidance: metrics with intervals, then size and cost of its runs."""
    mark, real = anchor(row), found.reference(row["group"])
    name = named(found, row)
    if row["planned"] == 1 or row["done"] < row["planned"]:
        progress = "one seed" if row["planned"] == 1 else f"{row['done']} of {row['planned']} seeds"
        name += f'<small class="under">{progress}</small>'
    if row["failure"]:
        name += f'<small class="under failed">failed: {escape(row["failure"])}</small>'
    cells = []
    failed = found.failures(row["group"])
    for metric in metrics:
        absent = without(row, metric) or (ABSENT if metric in PUBLISHED and row["done"] else "")
        text = measured(row[metric], metric, absent)
        cells.append(grey(link(mark, text) if row[metric].count else text, failed.get(metric)))
        beside = real["diversity_probe_real"] if real and metric == "diversity_probe" else math.nan
        if row[metric].count and not math.isnan(beside):
            more = row[metric].mean - beside
            cells[-1] += f"<small>{'+' if more > 0 else ''}{number(more, 2)} to real</small>"
    return [name, *cells, *(link(mark, text) if text else without(row) or PENDING for text in costs(row))]


def further(found: Results) -> HTML:
    """Per group: the further metrics of every method at the main scale, the other judges' below the probe's."""
    own = {column: head for column, head in FURTHER.items() if column in found.metrics and column != found.distance}
    parts = [scores_of(found, own)]
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


def without(row: pd.Series, metric: str = "") -> str:
    """What stands in a cell without a value: a dash and its reason, a dash where the job failed; else nothing."""
    if metric in row["absent"]:
        return lacking(row["absent"][metric])
    return DASH if row["failure"] and not row["done"] else ""


def named(found: Scores, row: pd.Series) -> str:
    """A method's name with its colour, and its guidance below."""
    guidance = "no guidance" if row["guidance"] == "none" else f"{row['guidance']} guidance × {row['scale']:g}"
    mark = f'<span class="key" style="--key:{colour(found.study, row["entry"])}"></span>'
    return f'{mark}{escape(row["entry"])}<small class="under">{guidance}</small>'


def costs(row: pd.Series) -> list[str]:
    """Trained parameters, share, delta bytes, training seconds and peak memory (means over seeds); "" while pending."""
    if math.isnan(row["trained_parameters"]) or not row["train_seconds"].count:
        return [""] * len(COSTS)
    parameters, share = f"{row['trained_parameters']:,.0f}", f"{number(100 * row['trained_share'])} %"
    memory = size(row["train_peak_bytes"].mean)
    return [parameters, share, size(row["delta_bytes"]), duration(row["train_seconds"].mean), memory]
