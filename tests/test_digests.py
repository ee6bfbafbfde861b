"""Kept digests: what ran before is found again, unless a recipe number says that it is computed otherwise now.

A digest decides an artifact's path, so a setting that enters one too much makes every study compute anew. The digests
here are those of all recipe numbers being zero: raising one changes none of them. Where one changes and should, write
them anew: `python tests/test_digests.py`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from finefit.jobs import recipes
from finefit.study import reading
from finefit.study.plan import Plan

ROOT = Path(__file__).parents[1]
STORED = Path(__file__).with_suffix(".json")
STUDIES = ["params.yaml", *sorted(f"studies/{path.name}" for path in ROOT.glob("studies/*.yaml"))]


def digests(study: str) -> dict[str, str]:
    """By kind of job one checksum of all its digests; reports, whose address never changes, are left out."""
    kinds: dict[str, list[str]] = {}
    for job in Plan(reading.load(Path(study))).jobs:
        kinds.setdefault(job.kind, []).append(job.digest)
    return {
        kind: hashlib.sha256("".join(sorted(found)).encode()).hexdigest()[:12]
        for kind, found in kinds.items()
        if kind != "report"
    }


@pytest.mark.parametrize("study", STUDIES)
def test_what_ran_before_is_found_again(study, monkeypatch):
    monkeypatch.chdir(ROOT)
    for kind in recipes.RECIPES:
        monkeypatch.setitem(recipes.RECIPES, kind, 0)
    kept = json.loads(STORED.read_text())
    assert digests(study) == kept.get(study), "see this file's first lines"


if __name__ == "__main__":
    recipes.RECIPES.update(dict.fromkeys(recipes.RECIPES, 0))
    STORED.write_text(json.dumps({study: digests(study) for study in STUDIES}, indent=1) + "\n")
