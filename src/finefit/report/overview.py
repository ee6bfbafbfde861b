"""The head of the report: what the study is, and how far it got."""

from __future__ import annotations

from html import escape

from IPython.display import HTML

from finefit import processes
from finefit.analysis.collect import Results, content
from finefit.jobs.quantities import duration, plural
from finefit.report.text import number
from finefit.study.config import Study
from finefit.study.passes import evaluations


def title(found: Results) -> HTML:
    """The page's heading."""
    study = found.plan.study
    data = escape(", ".join(study.data))
    return HTML(f'<h1>Fine-tuning on {data}</h1><p class="note">study “{escape(study.name)}”</p>')


def facts(found: Results) -> HTML:
    """Size of the study, how much of it is done, and what it cost so far."""
    study, done = found.plan.study, (found.evaluations["state"] == "done").sum()
    seconds = sum(content(job, job.marker.name).get("seconds", 0) for job in found.plan.jobs if job.kind != "report")
    about = {
        "methods": f"{len(study.methods)}",
        "data": ", ".join(found.references),
        "seeds": f"{len(study.seeds)}",
        "training": steps(study),
        "evaluations": f"{done} of {len(found.evaluations)} done" if done < len(found.evaluations) else f"{done}",
        "computing time": duration(seconds) if seconds else "none yet",
    }
    if found.study.sample.evaluate_every > 1:
        about["evaluated"] = forecast(found)
    if used := {content(job, job.marker.name).get("precision") for job in found.plan.jobs} - {None}:
        about["precision"] = " and ".join(sorted(used))  # runs on several kinds of machine
    shown = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in about.items())
    return HTML(f'<dl class="facts">{shown}</dl>')


def steps(study: Study) -> str:
    """How long methods are trained: "300 steps", or "75 to 1,200 steps" where entries have their own."""
    asked = [study.training(entry).steps for entry in study.methods]
    return f"{min(asked):,} to {max(asked):,} steps" if len(set(asked)) > 1 else plural(asked[0], "step")


def forecast(found: Results) -> str:
    """At how many steps networks were evaluated, and how far pictures are from those of all steps (mean of sets)."""
    asked, base = found.study.sample, found.study.base
    lost = [content(job, "taylorseer.json")["rms"] for job in found.plan.kind("sample") if job.marker.exists()]
    text = f"{evaluations(asked.model_dump() | processes.told(base.model_dump()))} of {asked.steps} steps"
    return f"{text}; {number(sum(lost) / len(lost))} grey levels off" if lost else text
