"""All that is seen: a study's report, a few static pages in which every number leads to the runs it was computed from.

The way of a number, never back:

1. `evaluation` writes it into an artifact's JSON or CSV file;
2. `analysis` reads it into tidy tables, compares within seeds, and says what a difference supports;
3. `claims` says what that means for the papers, of one study (`verdicts`, `record`) and of all (`ledger`);
4. here tables, figures and sheets of pictures show it, and in `exhibits` what is about the papers; `notebooks/` give
   them order and prose, `site` and `template.html` make the pages, `keep` makes a report fit for the repository,
   `readme` writes the README's tables.

A module of these two bears the name of what it shows; where that takes arithmetic, `analysis` or `claims` has a module
of the same name.

May import: jobs, data, judges, processes, methods, study, analysis, claims.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from finefit.jobs import store
from finefit.jobs.job import Job
from finefit.study import turns

# jsonschema's check of addresses, which no notebook has, builds 38 grammars on import: two seconds. It can do without.
sys.modules.setdefault("rfc3987_syntax", None)


def build(job: Job, out: Path, scratch: Path, draft: str = "", early: bool = False) -> None:
    """Write a study's report: a page per notebook, `metrics.json`, `results.csv`, `sweep.csv`; and what outlives it:
    `seeds.csv` (values by seed) and `verdicts.json`, which the ledger of all studies reads.

    What the study has not made yet is shown as pending. Runs from the repository's root.

    Args:
        draft: what every page says of itself at its head, where it is a draft.
        early: with the first pages alone.

    Raises:
        ValueError: a notebook fails; the message says where its partial page and the other pages are.
    """
    import yaml

    from finefit.analysis import collect, kept, own, tables
    from finefit.claims import record, verdicts
    from finefit.report import site

    study = scratch / "study.yaml"
    study.write_text(yaml.safe_dump(job.full["study"], sort_keys=False))
    found = collect.read(study)
    (out / "metrics.json").write_text(json.dumps(tables.metrics(found), indent=1) + "\n")
    tables.flat(found, found.main).to_csv(out / "results.csv", index=False)
    tables.flat(found, found.variants).to_csv(out / "sweep.csv", index=False)
    kept.write(found, out)
    record.write(found, out)
    papers = not own.is_own(found) or verdicts.tests_any(found)  # else nobody asked about them
    pages = {name: title for name, title in site.PAGES.items() if papers or name == "study"}
    pages |= site.UTILITY if found.study.evaluate.utility else {}
    if early:
        pages = {name: title for name, title in pages.items() if name in site.FIRST}
    site.build(study, found.plan.study.name, out, pages, draft)


def draft(job: Job, said: str, early: bool = False) -> Path:
    """Write the report of a half-finished study, under scratch/ since it is no artifact; gives its folder.

    Args:
        said: what it is a draft of.
        early: see `build`.
    """
    turns.FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=turns.FOLDER) as scratch:
        out = Path(scratch) / "out"
        out.mkdir()
        build(job, out, Path(scratch), said, early)
        store.publish(out, turns.FOLDER / job.name)
    return turns.FOLDER / job.name


def of_first_seeds(due: turns.Draft, seeds: int) -> Path:
    """Draw the draft of a study's first seeds, out of so many; gives its folder."""
    rest = ": one seed has no intervals" if due.seeds == 1 else ""
    folder = draft(due.report, f"Draft after {due.seeds} of {seeds} seeds{rest}.", early=True)
    due.marker.touch()
    return folder
