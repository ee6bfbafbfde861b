"""A job: one artifact to be made, with its digest and its place on disk.

The digest covers the job's resolved settings, the digests of the jobs it builds on and the recipe number of its kind,
so a changed parameter is a missing file, and an old result is never overwritten. Which jobs there are, a study says
(`finefit.study.plan`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from finefit.jobs.recipes import RECIPES

# Kinds of jobs in the order of the way from download to table: the phase that runs each, and its folder.
PHASES = {
    "data": ("data", "data/sets"),
    "hierarchy": ("hierarchy", "data/hierarchies"),
    "base": ("base", "models"),
    "latents": ("latents", "latents"),
    "source": ("finetune", "runs"),
    "finetune": ("finetune", "runs"),
    "sample": ("sample", "samples"),
    "reference": ("evaluate", "metrics"),
    "denoise": ("evaluate", "metrics"),
    "judge": ("evaluate", "metrics"),
    "evaluate": ("evaluate", "metrics"),
    "utility": ("utility", "utility"),
    "report": ("report", "reports"),
}


@dataclass(frozen=True, eq=False)
class Job:
    """One artifact to be made: `kind` is a key of `PHASES`, `name` the readable part of its path.

    `settings` are what decides its content. Where it takes more to make it, as a folder's place on this machine,
    `given` holds that in addition to them, and is no part of its identity.
    """

    kind: str
    name: str
    settings: dict[str, Any]
    inputs: dict[str, Job] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def full(self) -> dict[str, Any]:
        """All that it takes to make it: settings and what is given in addition."""
        return self.settings | self.given

    @cached_property
    def digest(self) -> str:
        """sha256 (hex) of everything that decides the artifact's content."""
        identity = {
            "kind": self.kind,
            "recipe": RECIPES[self.kind],
            "settings": self.settings,
            "inputs": {role: job.digest for role, job in self.inputs.items()},
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    @cached_property
    def path(self) -> Path:
        """The artifact's folder. A report keeps its address; its marker's name bears the digest."""
        folder = Path(PHASES[self.kind][1])
        return folder / self.name if self.kind == "report" else folder / f"{self.name}-{self.digest[:8]}"

    @cached_property
    def marker(self) -> Path:
        """The file whose presence says that the artifact is published: its provenance."""
        name = f"provenance-{self.digest[:8]}.json" if self.kind == "report" else "provenance.json"
        return self.path / name

    @property
    def phase(self) -> str:
        """The phase (dvc stage) that runs it."""
        return PHASES[self.kind][0]

    @property
    def judges(self) -> list[Job]:
        """The "judge" jobs that it builds on."""
        return [source for source in self.inputs.values() if source.kind == "judge"]
