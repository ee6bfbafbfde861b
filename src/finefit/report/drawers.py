"""The drawers: for every row of the tables, the runs that its numbers were computed from, down to the commit."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from html import escape

import pandas as pd
from IPython.display import HTML

from finefit import methods
from finefit.analysis.collect import Results, content
from finefit.analysis.scores import anchor, slug
from finefit.jobs.job import Job
from finefit.jobs.quantities import duration, size
from finefit.report.text import DASH, PENDING, heading, link, measured, table
from finefit.study import sections

STEPS = {"finetune": "fine-tuned", "sample": "sampled", "evaluate": "evaluated", "denoise": "denoising loss"}


def made_from(rows: pd.DataFrame) -> str:
    """Links to the drawers of the rows of `Results.variants` that a figure shows."""
    links = [link(anchor(row), f"{escape(row['variant'])} × {row['scale']:g}") for _, row in rows.iterrows()]
    return "Drawn from " + ", ".join(links) + "."


def reference_anchor(found: Results, group: str) -> str:
    """Anchor of the drawer of a group's reference."""
    return "made-" + slug(found.references[group].name)


def drawers(found: Results) -> HTML:
    """A drawer per group's reference and per method, guidance and scale."""
    parts = []
    for group, reference in found.references.items():
        parts.append(heading(group, len(found.references)))
        base = [found.denoising_of_base[group]] if group in found.denoising_of_base else []
        values = [
            [key, DASH if math.isnan(value) else f"{value:,.6g}"]
            for key, value in (found.reference(group) or {}).items()
        ]
        body = table(["", "value"], values, "seeds") + chain([reference, *found.judging(group).values(), *base])
        parts.append(drawer(reference_anchor(found, group), "real pictures and codec", body))
        for _, row in found.variants[found.variants["group"] == group].iterrows():
            guidance = "no guidance" if row["guidance"] == "none" else f"{row['guidance']} guidance"
            title = f"{row['entry']}, {guidance}, scale {row['scale']:g}"
            parts.append(drawer(anchor(row), title, by_seed(found, row) + runs(found, row)))
    return HTML("".join(parts))


def drawer(mark: str, title: str, body: str) -> str:
    """One drawer; `body` is HTML."""
    return f'<details class="drawer" id="{mark}"><summary>{escape(title)}</summary><div>{body}</div></details>'


def by_seed(found: Results, row: pd.Series) -> str:
    """The numbers of each seed that a row's mean and interval come from, in full."""
    metrics = [metric for metric in found.metrics if row[metric].count]
    rows = []
    for _, one in found.seeds_of(row).iterrows():
        cells = [PENDING if math.isnan(one[metric]) else f"{one[metric]:.6g}" for metric in metrics]
        rows.append([f"seed {one['seed']}", *(cells or [PENDING])])
    if metrics:
        rows.append(["mean ± 95 %", *(measured(row[metric], metric) for metric in metrics)])
    return table(["", *(metrics or [""])], rows, "seeds")


def runs(found: Results, row: pd.Series) -> str:
    """Every seed's jobs, from fine-tuning to evaluation."""
    parts = []
    for seed, evaluation in zip(row["seeds"], row["jobs"], strict=True):
        sample = evaluation.inputs["sample"]
        run = sample.inputs["run"]
        parts.append(f"<h4>Seed {seed}</h4>" + chain([run, sample, evaluation, found.denoising[run.digest]]))
    return "".join(parts)


def chain(jobs: list[Job]) -> str:
    """Jobs in the order they were done, each to be opened."""
    return "".join(made(job) for job in jobs)


def made(job: Job) -> str:
    """How one artifact was made: all that its provenance records."""
    title = f"{STEPS.get(job.kind, job.kind)} <code>{escape(str(job.path))}</code>"
    record = content(job, job.marker.name)
    if not record:
        return f'<details class="job"><summary>{title} {PENDING}</summary>{facts(planned(job))}</details>'
    code = record["code"]
    about = {
        "command": f"<code>{escape(record['command'])}</code>",
        "time": f"{duration(record['seconds'])} ({record['seconds']:,} s)",
        "peak memory": size(record["peak_bytes"]),
        "commit": f"<code>{escape(code['commit'])}</code>" + (" and uncommitted changes" if code["dirty"] else ""),
        "hardware": escape(", ".join(f"{name}: {value}" for name, value in record["hardware"].items())),
        "versions": escape(", ".join(f"{name} {value}" for name, value in record["versions"].items())),
    }
    if record.get("precision"):  # that of the network, of jobs that run one
        about["precision"] = record["precision"]
    return f'<details class="job"><summary>{title}</summary>{facts(about | planned(job))}</details>'


def planned(job: Job) -> dict[str, str]:
    """What is known of a job before it runs: digest, settings, inputs."""
    inputs = [f"{escape(role)}: <code>{source.path} {source.digest}</code>" for role, source in job.inputs.items()]
    settings = [f"{escape(key)}: {escape(plain(value))}" for key, value in job.settings.items()]
    changed = ", ".join(f"{escape(key)} {escape(plain(value))}" for key, value in unlike_default(job).items())
    other = {"differs from the defaults in": changed} if changed else {}
    return other | {
        "settings": "<br>".join(settings),
        "made from": "<br>".join(inputs),
        "digest": f"<code>{job.digest}</code>",
    }


def unlike_default(job: Job) -> dict[str, object]:
    """The settings of a fine-tuning or a sampling that are neither the method's nor the study's defaults.

    A setting without a default, such as the number of steps, is the study's own and counts as one that differs.
    """
    if job.kind == "finetune":
        method = asdict(methods.find(job.settings["method"]).Settings())
        set_here = job.settings["method_settings"] | job.settings["train"]
        defaults = method | sections.defaults(sections.TrainSettings)
    elif job.kind == "sample":
        set_here, defaults = job.settings, sections.defaults(sections.SampleSettings)
    else:
        return {}
    nothing = object()
    known = {key: value for key, value in set_here.items() if key not in ("codec", "guidance")}
    return {key: value for key, value in known.items() if defaults.get(key, nothing) != value}


def plain(value: object) -> str:
    """A setting's value: a mapping as "key value" in turn, anything else as JSON."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(part)}" for key, part in value.items()) or "none"
    return value if isinstance(value, str) else json.dumps(value)


def facts(about: dict[str, str]) -> str:
    """A list of names and values; values are HTML."""
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in about.items()) + "</dl>"
