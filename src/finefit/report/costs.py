"""What a study costs: time and memory of every kind of job, read from the provenance of what is made."""

from __future__ import annotations

from html import escape

from IPython.display import HTML

from finefit.analysis.collect import Results, content
from finefit.jobs.job import Job
from finefit.jobs.quantities import duration, size
from finefit.report.text import PENDING, table


def cost(found: Results) -> HTML:
    """Jobs, time and the largest memory of every kind of job, fine-tuning by method."""
    kinds: dict[str, list[Job]] = {}
    for job in found.plan.jobs:
        if job.kind != "report":
            kinds.setdefault(kind_of(job), []).append(job)
    head = ["", "jobs", "time in all", "time of one<small>mean</small>", "peak memory<small>largest</small>"]
    return HTML(table(head, [[escape(kind), *spent(jobs)] for kind, jobs in kinds.items()], "cost"))


def kind_of(job: Job) -> str:
    """A job's kind, and for fine-tuning what is fine-tuned whatever its seed."""
    if job.kind != "finetune":
        return job.kind
    return "finetune " + job.name.removesuffix(f"-s{job.settings['seed']}")


def spent(jobs: list[Job]) -> list[str]:
    """Number of jobs, time in all, mean time and largest memory; pending where none is done."""
    records = [record for job in jobs if (record := content(job, job.marker.name))]
    done = f"{len(jobs)}" if len(records) == len(jobs) else f"{len(records)} of {len(jobs)} done"
    if not records:
        return [done, PENDING, PENDING, PENDING]
    seconds = [record["seconds"] for record in records]
    memory = max(record["peak_bytes"] for record in records)
    return [done, duration(sum(seconds)), duration(sum(seconds) / len(seconds)), size(memory)]
