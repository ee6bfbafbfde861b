"""The report of a study: one static page in which every number leads to the runs it was computed from.

The way of a number: an artifact's JSON file, `collect` (tidy tables), `statistics` (intervals), `tables`, `figures`
and `sheets` (what is seen), `notebooks/study.ipynb` (order and prose), `site` and `template.html` (the page).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from finefit.plan import Job

if TYPE_CHECKING:
    import pandas as pd

    from finefit.report.collect import Results

NOTEBOOK = Path("notebooks/study.ipynb")


def build(job: Job, out: Path, scratch: Path) -> None:
    """Write a study's report: `index.html`, the executed `study.ipynb`, `metrics.json`, `results.csv`, `sweep.csv`.

    What the study has not made yet is shown as pending. Runs from the repository's root.

    Raises:
        ValueError: the notebook fails; nothing is left in `out`, the partial notebook stays in `scratch`.
    """
    import yaml

    from finefit.report import collect, site

    study, executed = scratch / "study.yaml", scratch / "study.ipynb"
    study.write_text(yaml.safe_dump(job.settings["study"], sort_keys=False))
    site.execute(NOTEBOOK, executed, {"study": str(study)})
    found = collect.read(study)
    page = site.render(executed, found.plan.study.name)
    (out / "index.html").write_text(page, encoding="utf-8")
    (out / "study.ipynb").write_bytes(executed.read_bytes())
    (out / "metrics.json").write_text(json.dumps(metrics(found), indent=1) + "\n")
    flat(found.main).to_csv(out / "results.csv", index=False)
    flat(found.variants).to_csv(out / "sweep.csv", index=False)


def metrics(found: Results) -> dict[str, float]:
    """Means over seeds at the study's main scale, and the real pictures' own values: nothing that a clock decides."""
    from finefit.report.collect import METRICS, RUN

    values = {}
    for group in found.references:
        for key, value in (found.reference(group) or {}).items():
            values[f"{group}/real/{key}"] = value
    for _, row in found.main.iterrows():
        name = f"{row['group']}/{row['variant']}"
        values |= {f"{name}/{metric}": row[metric].mean for metric in METRICS if row[metric].count}
        values |= {f"{name}/{key}": row[key] for key in RUN if not math.isnan(row[key])}
    return values


def flat(variants: pd.DataFrame) -> pd.DataFrame:
    """`Results.variants` for a file: every estimate as its mean and, under `<metric>_half`, half its interval."""
    from finefit.report.collect import METRICS, RUN

    table = variants[["group", "entry", "guidance", "scale", "done", "planned"]].copy()
    for metric in METRICS:
        table[metric] = [found.mean for found in variants[metric]]
        table[f"{metric}_half"] = [found.half for found in variants[metric]]
    return table.join(variants[list(RUN)])
