"""The bench's page in pieces, each shown by a cell of notebooks/bench.ipynb; fit to be an appendix of a paper."""

from __future__ import annotations

import json
import math
from html import escape
from pathlib import Path

from IPython.display import HTML

from finefit.analysis.decisions import SEPARATED
from finefit.analysis.scores import anchor
from finefit.bench import told
from finefit.bench.beside import Beside, Standing
from finefit.jobs import readers
from finefit.jobs.quantities import duration, size
from finefit.report import drawers, figures, sheets
from finefit.report.style import chart, panels
from finefit.report.tables import named
from finefit.report.text import DASH, link, measured, number, table
from finefit.study.config import Study

SOURCE = Path("src/finefit/methods")


def title(found: Beside) -> HTML:
    """The page's heading: the method, beside how many others."""
    asked = found.asked
    commit = asked.kept.record["code"]["commit"][:8]
    beside = f"beside {len(asked.kept.study.methods)} methods of study “{escape(asked.kept.study.name)}”"
    return HTML(f'<h1>{escape(asked.entry)}</h1><p class="note">{beside}, kept at commit <code>{commit}</code></p>')


def standing(found: Beside) -> HTML:
    """Where the method stands by each score, a line each; then what it trains and what that takes."""
    lines = []
    for row in found.rows:
        for metric in told.metrics(found):
            value = link(anchor(row), measured(row[metric], metric))
            lines.append(f"<strong>{escape(metric)}</strong> {value}: {escape(told.standing(found, row, metric))}.")
        lines.append(f"{escape(told.size(row))}; {escape(told.time(found, row))}.")
    return HTML('<ul class="answers">' + "".join(f"<li>{line}</li>" for line in lines) + "</ul>")


def scores(found: Beside) -> HTML:
    """The method's row, then every kept one: scores with intervals that hold together, and size."""
    metrics = told.metrics(found)
    rows = [*found.rows, *(row for _, row in found.main.iterrows() if row["entry"] != found.asked.entry)]
    head = ["", *map(escape, metrics), "trained parameters", "share of all", "delta file"]
    body = []
    for row in rows:
        own = row["entry"] == found.asked.entry
        cells = [measured(row[metric], metric, DASH) for metric in metrics]
        cells = [link(anchor(row), cell) if own else cell for cell in cells]
        trained = [
            f"{row['trained_parameters']:,.0f}",
            f"{number(100 * row['trained_share'])} %",
            size(row["delta_bytes"]),
        ]
        name = named(found, row)
        body.append([f"<mark>{name}</mark>" if own else name, *cells, *trained])
    return HTML(table(head, body, "scores"))


def differences(found: Beside) -> HTML:
    """The method's difference to every kept one in each score, wider by what the machine makes; strong if separated."""
    parts = []
    for row in found.rows:
        metrics = told.metrics(found)
        by_other: dict[str, dict[str, Standing]] = {}
        for metric in metrics:
            for one in found.standings(row, metric):
                by_other.setdefault(str(one.other["variant"]), {})[metric] = one
        body = [
            [f"{escape(row['variant'])} − {escape(name)}", *(cell(known.get(metric), metric) for metric in metrics)]
            for name, known in by_other.items()
        ]
        parts.append(table(["", *map(escape, metrics)], body, "differences"))
    return HTML("".join(parts))


def cell(one: Standing | None, metric: str) -> str:
    """A difference with its interval: strong where it separates, with a sign where it is an equality."""
    if one is None:
        return ""
    text = measured(one.difference, metric, DASH)
    if one.verdict in SEPARATED:
        return f"<strong>{text}</strong>"
    return f"{text}<small>equal within the margin</small>" if one.verdict == "equal within the margin" else text


def against_size(found: Beside) -> HTML:
    """The distance to real pictures over trained parameters, the method's point filled."""
    shown = found.main[found.main[found.distance].map(lambda estimate: estimate.count > 0)]
    figure, axes = panels(1, 4.2)
    figures.points(axes[0], found, shown, "trained_parameters", strong=found.asked.entry)
    for group in found.own.references:
        figures.floor_lines(axes[0], found.own.reference(group), found.distance)
    return chart(
        figure,
        f"Distance to real pictures over trained parameters, {found.asked.entry} among the kept methods",
        "Lower is nearer to real pictures, further left trains less. Bars are 95 % intervals that hold together.",
    )


def pictures(found: Beside) -> HTML:
    """Real pictures, the method's, and those of the control, from the same noise."""
    own = found.own
    return HTML("".join(sheets.compared_rows(own, group, own.rows_of(group)) for group in own.groups))


def machine(found: Beside) -> HTML:
    """The control's scores and costs, kept and made again here, and how much of a pair's interval the difference is."""
    here, there = found.control.loc["here"], found.control.loc["kept"]
    row = found.rows[0]
    body = []
    for metric in told.metrics(found):
        shift = found.machine(metric)
        halves = [one.difference.half - one.difference.shift for one in found.standings(row, metric)]
        known = [half for half in halves if not math.isnan(half)]
        beside = f"{number(100 * abs(shift) / (sum(known) / len(known)), 2)} %" if known else DASH
        cells = [told.plain(there[metric], metric), told.plain(here[metric], metric), told.difference(shift, metric)]
        body.append([escape(metric), *cells, beside])
    costs = [duration(there["train_seconds"]), duration(here["train_seconds"])]
    body.append(["training time", *costs, f"× {number(here['train_seconds'] / there['train_seconds'])}", ""])
    head = ["", "kept", "here", "difference", "of half a pair's interval<small>that seeds alone give</small>"]
    return HTML(table(head, body, "machine") + hardware(found))


def hardware(found: Beside) -> str:
    """The machines, the versions and the commits of both."""
    record = readers.content(found.control_run["job"].inputs["sample"].inputs["run"].marker)
    parts = []
    for name, one in (("kept report", found.asked.kept.record), ("control here", record)):
        machine_ = ", ".join(f"{key}: {value}" for key, value in one["hardware"].items())
        versions = ", ".join(f"{key} {value}" for key, value in one["versions"].items())
        precision = f"; {one['precision']}" if one.get("precision") else ""
        parts.append(f"{name}: {machine_}{precision}; {versions}; commit {one['code']['commit'][:8]}")
    return f'<p class="note">{escape(". ".join(parts))}.</p>'


def recipe(found: Beside) -> HTML:
    """The method's settings, its file, and the commands."""
    asked = found.asked
    study: Study = asked.plan.study
    file = SOURCE / f"{study.methods[asked.entry].get('method', asked.entry)}.py"
    settings = {key: value for key, value in study.methods[asked.entry].items() if key != "method"}
    about = {
        "settings": json.dumps(settings),
        "seeds": ", ".join(map(str, study.seeds)),
        "training": json.dumps(study.train.model_dump()),
        "sampling": json.dumps(study.sample.model_dump()),
        "study": str(asked.folder / "study.yaml"),
    }
    facts = drawers.facts({name: f"<code>{escape(value)}</code>" for name, value in about.items()})
    code = escape(file.read_text(encoding="utf-8"))
    listing = f'<details class="source" open><summary>{escape(str(file))}</summary><pre>{code}</pre></details>'
    return HTML(f'<details class="job" open><summary>Settings</summary>{facts}</details>{listing}')


def made(found: Beside) -> HTML:
    """A drawer for every row that ran here: values by seed, and the jobs behind them."""
    own, parts = found.own, []
    for group, reference in own.references.items():
        jobs = [reference, *own.judging(group).values()]
        parts.append(
            drawers.drawer(drawers.reference_anchor(own, group), "real pictures and codec", drawers.chain(jobs))
        )
    for _, row in own.main[own.main["entry"] == found.asked.entry].iterrows():
        body = drawers.by_seed(own, row) + drawers.runs(own, row)
        parts.append(drawers.drawer(anchor(row), f"{row['variant']}, scale {row['scale']:g}", body))
    return HTML("".join(parts))
