"""The head of the report: what the study is, how far it got, and what its intervals support."""

from __future__ import annotations

from html import escape

from IPython.display import HTML

from finefit import processes
from finefit.analysis.collect import Results, content
from finefit.analysis.pairs import pairs
from finefit.analysis.scores import of_group
from finefit.report.text import duration, number, plural
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
    told = {
        "methods": f"{len(study.methods)}",
        "data": ", ".join(found.references),
        "seeds": f"{len(study.seeds)}",
        "training": plural(study.train.steps, "step"),
        "evaluations": f"{done} of {len(found.evaluations)} done" if done < len(found.evaluations) else f"{done}",
        "computing time": duration(seconds) if seconds else "none yet",
    }
    if found.study.sample.evaluate_every > 1:
        told["evaluated"] = forecast(found)
    if used := {content(job, job.marker.name).get("precision") for job in found.plan.jobs} - {None}:
        told["precision"] = " and ".join(sorted(used))  # runs on several kinds of machine
    shown = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in told.items())
    return HTML(f'<dl class="facts">{shown}</dl>')


def forecast(found: Results) -> str:
    """At how many steps networks were evaluated, and how far pictures are from those of all steps (mean of sets)."""
    asked, base = found.study.sample, found.study.base
    lost = [content(job, "taylorseer.json")["rms"] for job in found.plan.kind("sample") if job.marker.exists()]
    text = f"{evaluations(asked.model_dump() | processes.told(base.model_dump()))} of {asked.steps} steps"
    return f"{text}; {number(sum(lost) / len(lost))} grey levels off" if lost else text


def findings(found: Results) -> HTML:
    """Per group: the method nearest to real pictures and those that are not separated from it."""
    return HTML("".join(f'<p class="finding">{finding(found, group)}</p>' for group in found.references))


def finding(found: Results, group: str) -> str:
    """One group's finding in a sentence or two, all from the table."""
    rows = [row for _, row in of_group(found.main, group).iterrows() if row["fd_probe"].count]
    name = f"<strong>{escape(group)}</strong>: "
    if not rows:
        return name + "pending; nothing is evaluated yet."
    best = min(rows, key=lambda row: row["fd_probe"].mean)
    text = f"{name}the lowest fd_probe is that of {escape(best['variant'])} ({number(best['fd_probe'].mean)}"
    real = found.reference(group)
    text += f"; real pictures reach {number(real['fd_probe_floor'])}). " if real else "). "
    verdicts = {}
    for pair in pairs(found, group):
        if best["variant"] in (pair.first["variant"], pair.second["variant"]) and pair.difference.count:
            other = pair.second if pair.first["variant"] == best["variant"] else pair.first
            verdicts[other["variant"]] = "separated" if pair.verdict in ("lower", "higher") else pair.verdict
    for wanted, words in (
        ("separated", "Separated from it, all pairs together at 5 %: {}."),
        ("equal within the margin", "Equal to it within the margin: {}."),
        ("not separated", "Not separated from it: {}."),
        ("one seed", "With one seed nothing separates it from {}."),
    ):
        names = [escape(variant) for variant, supported in verdicts.items() if supported == wanted]
        text += words.format(", ".join(names)) + " " if names else ""
    return text
