"""Values by seed of reports that were kept before reports wrote seeds.csv, read from the drawers of their pages.

    python benchmarks/kept_seeds.py docs/results/mini docs/results/resolution

A page's drawers print every seed's scores to six digits and each fine-tuning's seconds. Reports made since write the
file themselves (src/finefit/report/kept.py), so this is for the old ones alone.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd

from finefit.report.kept import COLUMNS, VALUES, Kept
from finefit.report.scores import RUN
from finefit.report.text import slug

DRAWER = re.compile(
    r'<details class="drawer" id="(made-[^"]*)">.*?<table class="seeds">(.*?)</table>'
    r'(.*?)(?=<details class="drawer"|$)',
    re.S,
)
HEAD, SEED, CELL = (
    re.compile(part)
    for part in ('<th scope="col">(.*?)</th>', r"<tr><th[^>]*>seed (\d+)</th>(.*?)</tr>", "<td>(.*?)</td>")
)
SECONDS = re.compile(r"fine-tuned.*?<dt>time</dt><dd>[^(]*\(([\d.,]+) s\)", re.S)


def by_seed(folder: Path) -> pd.DataFrame:
    """The rows of seeds.csv."""
    sizes = next(folder / name for name in ("sweep.csv", "results.csv") if (folder / name).exists())
    rows = pd.read_csv(sizes, keep_default_na=False, na_values=[""])
    study, page = Kept(folder).study, (folder / "index.html").read_text(encoding="utf-8")
    drawers = {mark: (table, rest) for mark, table, rest in DRAWER.findall(page)}
    parts = []
    for row in rows.to_dict("records"):
        table, rest = drawers["made-" + slug(row["group"], row["entry"], row["guidance"], f"{row['scale']:g}")]
        seeds = {int(seed): map(float, CELL.findall(cells)) for seed, cells in SEED.findall(table)}
        values = pd.DataFrame.from_dict(seeds, orient="index", columns=HEAD.findall(table)[1:])
        references = study.method_settings(row["entry"]).guidance
        several = row["guidance"] != "none" and len(references) > 1
        own = {
            "group": row["group"],
            "variant": f"{row['entry']}-{row['guidance']}" if several else row["entry"],
            "entry": row["entry"],
            "guidance": row["guidance"],
            "scale": row["scale"],
            "main": row["scale"] == study.sample.scale or not references,
            "seed": list(values.index),
            "state": "done",
            "train_seconds": [float(seconds.replace(",", "")) for seconds in SECONDS.findall(rest)],
        }
        parts.append(values.reset_index(drop=True).assign(**own, **{column: row[column] for column in RUN}))
    return pd.concat(parts).reindex(columns=COLUMNS)


if __name__ == "__main__":
    for folder in map(Path, sys.argv[1:]):
        table = by_seed(folder)
        table.to_csv(folder / VALUES, index=False)
        print(f"{folder / VALUES}: {len(table)} rows")
