"""The report of a study: a few static pages in which every number leads to the runs it was computed from.

The way of a number, never back: `evaluation` writes an artifact's JSON files; `analysis` reads them into tidy tables
(`collect`), compares within seeds (`scores`, `blocks`) and says what that supports (`statistics`, `decisions`);
`claims` says what it means for the papers (`measures`, `rules`, `verdicts`) and writes it down (`record`); here
`tables`, `figures` and `sheets` show it, `notebooks/` give order and prose, `site` and `template.html` make the pages.
`gathered` makes one ledger of all kept studies; `keep` makes a report fit for the repository.

May import: jobs, data, judges, processes, models, methods, study, outlook, analysis, claims.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from finefit.jobs.job import Job
from finefit.jobs.store import SCRATCH

if TYPE_CHECKING:
    import pandas as pd

    from finefit.analysis.collect import Results


def build(job: Job, out: Path, scratch: Path) -> None:
    """Write a study's report: a page per notebook, `metrics.json`, `results.csv`, `sweep.csv`; and what outlives it:
    `seeds.csv` (values by seed) and `verdicts.json`, which the ledger of all studies reads.

    What the study has not made yet is shown as pending. Runs from the repository's root.

    Raises:
        ValueError: a notebook fails; the message says where its partial page and the other pages are.
    """
    import yaml

    from finefit.analysis import collect, kept
    from finefit.claims import record
    from finefit.report import own, site

    study = scratch / "study.yaml"
    study.write_text(yaml.safe_dump(job.full["study"], sort_keys=False))
    found = collect.read(study)
    (out / "metrics.json").write_text(json.dumps(metrics(found), indent=1) + "\n")
    flat(found, found.main).to_csv(out / "results.csv", index=False)
    flat(found, found.variants).to_csv(out / "sweep.csv", index=False)
    kept.write(found, out)
    record.write(found, out)
    papers = not own.is_own(found) or own.tests_claims(found)  # else nobody asked about them
    pages = {name: told for name, told in site.PAGES.items() if papers or name == "study"}
    pages |= site.UTILITY if found.study.evaluate.utility else {}
    site.build(study, found.plan.study.name, out, pages)


def draft(job: Job) -> Path:
    """Write the report of a half-finished study, under scratch/ since it is no artifact; gives its folder."""
    folder = SCRATCH / "drafts" / job.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        build(job, folder, Path(scratch))
    return folder


def metrics(found: Results) -> dict[str, float]:
    """Means over seeds at the study's main scale, and the real pictures' own values: nothing that a clock decides."""
    from finefit.analysis.scores import RUN

    values = {}
    for group in found.references:
        for key, value in (found.reference(group) or {}).items():
            if not math.isnan(value):
                values[f"{group}/real/{key}"] = value
    for _, row in found.main.iterrows():
        name = f"{row['group']}/{row['variant']}"
        values |= {f"{name}/{metric}": row[metric].mean for metric in found.metrics if row[metric].count}
        values |= {f"{name}/{key}": row[key] for key in RUN if not math.isnan(row[key])}
    return values


def flat(found: Results, variants: pd.DataFrame) -> pd.DataFrame:
    """`Results.variants` for a file: every estimate as its mean and, under `<metric>_half`, half its interval."""
    from finefit.analysis.scores import RUN

    table = variants[["group", "entry", "guidance", "scale", "done", "planned"]].copy()
    for metric in found.metrics:
        table[metric] = [one.mean for one in variants[metric]]
        table[f"{metric}_half"] = [one.half for one in variants[metric]]
    return table.join(variants[list(RUN)])
