"""Whether judges can be trusted: what each sees of real pictures made worse in known steps, which scores fail."""

from __future__ import annotations

from html import escape

import pandas as pd
from IPython.display import HTML

from finefit import judges
from finefit.analysis.collect import Results, content
from finefit.jobs import readers
from finefit.jobs.job import Job
from finefit.jobs.quantities import plural
from finefit.report.text import PENDING, number, per_group, table

NAMES = {
    "fd": "Fréchet distance",
    "kd": "kernel distance",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "memorised": "memorised share",
    "class_accuracy": "class accuracy<small>of the head</small>",
    "class_kd": "kernel distance<small>class by class</small>",
}


def warnings(found: Results) -> HTML:
    """The first lines of a report: per group and judge, why its scores are not to be relied on; nothing if they are."""
    parts = []
    for group in found.groups:
        for name, job in found.judging(group).items():
            result = content(job, "judge.json")
            if not result or not result["failures"]:
                continue
            reasons: dict[str, list[str]] = {}
            for score, reason in result["failures"].items():
                if score in judges.SCORES:
                    reasons.setdefault(reason, []).append(judges.column(score, name))
            columns_and_reasons = "; ".join(
                f"{escape(', '.join(columns))} ({escape(reason)})" for reason, columns in reasons.items()
            )
            where = f" on {escape(group)}" if len(found.groups) > 1 else ""
            parts.append(
                f'<p class="failed" role="alert"><strong>Do not rely on judge {escape(name)}{where}</strong> for '
                f"{columns_and_reasons}. These scores are printed grey.</p>"
            )
    return HTML("".join(parts))


def grey(text: str, reason: str | None) -> str:
    """A cell's text, grey and with the reason where its score failed."""
    return f'<span class="distrusted" title="{escape(reason, quote=True)}">{text}</span>' if reason else text


@per_group
def judged(found: Results, group: str) -> str:
    """Per judge: the mildest step of every degradation that each score sees, at how many pictures."""
    return "".join(f"<h4>{escape(name)}</h4>{steps_seen(job)}" for name, job in found.judging(group).items())


def steps_seen(job: Job) -> str:
    """One judge's table, with what it knows of the real pictures' classes above."""
    result = content(job, "judge.json")
    if not result:
        return f"<p>{PENDING}</p>"
    seen = readers.table(job.path / "seen.csv", keep_default_na=False)
    text = f"A head on its features names {number(100 * result['known'])} % of held-out real pictures; at least "
    text += (
        f"{100 * result['wanted']:g} % are asked for. Seen at {plural(result['pictures'], 'picture')} beside as many. "
    )
    if result["copies"]:
        text += f"{plural(result['copies'], 'test picture')} are copies of training pictures. "
    scores = [score for score in NAMES if score in set(seen["score"])]
    rows = []
    for degradation, part in seen.groupby("degradation", sort=False):
        of = part.set_index("score")
        rows.append([escape(str(degradation)), *(step(of.loc[score]) for score in scores)])
    head = ["", *(grey(NAMES[score], result["failures"].get(score)) for score in scores)]
    return f'<p class="note">{text}</p>' + table(head, rows, "judged")


def step(row: pd.Series) -> str:
    """The mildest step that is seen, and whether a stronger one is taken for a milder."""
    text = escape(str(row["mildest"])) or '<span class="note">not seen</span>'
    return text if str(row["rises"]) == "True" else f"{text}<small>not in order</small>"
