"""A study as jobs: what depends on what, each job's digest and where its artifact stands.

The Snakefile, the command line and the report ask this module; none of them builds a path. A job's digest covers its
resolved settings, the digests of the jobs it builds on and the recipe number of its kind, so all paths are known
before anything runs, a changed parameter is a missing file, and an old result is never overwritten. No torch here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from finefit import sources
from finefit.config import Study
from finefit.recipes import RECIPES

# Kinds of jobs in the order of the way from download to table: the phase that runs each, and its folder.
PHASES = {
    "data": ("data", "data/sets"),
    "hierarchy": ("hierarchy", "data/hierarchies"),
    "base": ("base", "models"),
    "latents": ("latents", "latents"),
    "finetune": ("finetune", "runs"),
    "sample": ("sample", "samples"),
    "reference": ("evaluate", "metrics"),
    "evaluate": ("evaluate", "metrics"),
    "report": ("report", "reports"),
}

# Weights of the networks behind the published metrics.
PUBLISHED = {"fid": "inception-2015-12-05", "lpips": "alexnet-owt-7be5be79"}


@dataclass(frozen=True, eq=False)
class Job:
    """One artifact to be made: `kind` is a key of `PHASES`, `name` the readable part of its path."""

    kind: str
    name: str
    settings: dict[str, Any]
    inputs: dict[str, Job] = field(default_factory=dict)

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

    @property
    def path(self) -> Path:
        """The artifact's folder. A report keeps its address; its marker's name bears the digest."""
        folder = Path(PHASES[self.kind][1])
        return folder / self.name if self.kind == "report" else folder / f"{self.name}-{self.digest[:8]}"

    @property
    def marker(self) -> Path:
        """The file whose presence says that the artifact is published: its provenance."""
        name = f"provenance-{self.digest[:8]}.json" if self.kind == "report" else "provenance.json"
        return self.path / name

    @property
    def phase(self) -> str:
        """The phase (dvc stage) that runs it."""
        return PHASES[self.kind][0]


class Plan:
    """All jobs of a study, each once, inputs before what needs them."""

    def __init__(self, study: Study):
        self.study = study
        self.jobs: list[Job] = []
        self._known: dict[str, Job] = {}
        self.base = self._base()
        evaluations = [
            evaluation
            for name, section in study.data.items()
            for resolution in section.resolutions
            for evaluation in self._evaluations(name, resolution)
        ]
        settings = {"study": study.model_dump(mode="json")}
        self.report = self._add("report", study.name, settings, {job.path.as_posix(): job for job in evaluations})

    def phase(self, name: str) -> list[Job]:
        """Jobs of one phase."""
        return [job for job in self.jobs if job.phase == name]

    def kind(self, kind: str) -> list[Job]:
        """Jobs of one kind."""
        return [job for job in self.jobs if job.kind == kind]

    def at(self, path: str | Path) -> Job:
        """The job whose artifact stands at `path`.

        Raises:
            ValueError: this study has none there.
        """
        for job in self.jobs:
            if job.path == Path(path):
                return job
        raise ValueError(f"{path}: no job of study {self.study.name!r} makes this; see `finefit plan`")

    def _add(self, kind: str, name: str, settings: dict[str, Any], inputs: dict[str, Job] | None = None) -> Job:
        job = Job(kind, name, settings, inputs or {})
        if job.digest not in self._known:
            self._known[job.digest] = job
            self.jobs.append(job)
        return self._known[job.digest]

    def _base(self) -> Job | None:
        base = self.study.base
        if base.weights is None:
            return None
        return self._add(
            "base", base.weights, {"weights": _source(base.weights), "size": base.size, "patch": base.patch}
        )

    def _codec(self) -> dict[str, Any]:
        return {"name": self.study.codec.name, "weights": _source(self.study.codec.weights)}

    def _evaluations(self, name: str, resolution: int) -> list[Job]:
        study, group = self.study, f"{name}-{resolution}"
        reader, options = study.reader(name), study.reader_settings(name)
        settings = {"reader": study.data[name].reader or name, "options": asdict(options)}
        settings["sources"] = [_source(row) for row in reader.sources(options)]
        if hasattr(reader, "listing"):
            settings["listing"] = reader.listing(options)
        data = self._add("data", name, settings)
        hierarchy = self._add("hierarchy", name, study.hierarchy(name), {"data": data})
        pixels = {"resolution": resolution}
        latents = self._add("latents", group, pixels | {"codec": self._codec()}, {"data": data})
        judged_by = study.evaluate.model_dump(exclude={"published"})
        per_class = study.data[name].per_class or study.sample.per_class
        judged_by |= {"per_class": per_class, "codec": self._codec()}
        reference = self._add(
            "reference", f"{group}/reference", pixels | judged_by, {"data": data, "hierarchy": hierarchy}
        )
        published = {"published": {metric: _source(PUBLISHED[metric]) for metric in study.evaluate.published}}
        evaluations = []
        for entry in study.methods:
            for seed in study.seeds:
                run = self._finetune(f"{group}/{entry}-s{seed}", entry, seed, latents, hierarchy)
                for guided in self._guidances(entry):
                    sample = self._sample(run, guided | {"per_class": per_class})
                    inputs = {"sample": sample, "reference": reference}
                    evaluations.append(self._add("evaluate", sample.name, published, inputs))
        return evaluations

    def _finetune(self, name: str, entry: str, seed: int, latents: Job, hierarchy: Job) -> Job:
        study, method = self.study, self.study.method_settings(entry)
        settings = {
            "method": study.methods[entry].get("method", entry),
            "method_settings": asdict(method) | {"lr": method.lr or study.train.lr},
            "train": study.train.model_dump(exclude={"lr"}),
            "network": {"size": study.base.size, "patch": study.base.patch},
            "seed": seed,
        }
        inputs = {"latents": latents}
        if self.base:
            inputs["base"] = self.base
        if method.embedder == "tiered":
            inputs["hierarchy"] = hierarchy
        return self._add("finetune", name, settings, inputs)

    def _guidances(self, entry: str) -> list[dict[str, Any]]:
        """Guidance references and scales that a method is sampled with; scale 1 is no guidance and comes once."""
        sample, references = self.study.sample, self.study.method_settings(entry).guidance
        scales = sorted({sample.scale, *sample.sweep.get(entry, [])})
        guided = [{"guidance": name, "scale": scale} for scale in scales if scale != 1 for name in references]
        unguided = [{"guidance": "none", "scale": 1.0}] if 1 in scales or not references else []
        return unguided + guided

    def _sample(self, run: Job, own: dict[str, Any]) -> Job:
        common = self.study.sample.model_dump(exclude={"scale", "sweep"})
        name = f"{run.name}-{own['guidance']}-{own['scale']:g}"
        return self._add("sample", name, common | own | {"codec": self._codec()}, {"run": run})


def _source(row: str) -> dict[str, str]:
    """What identifies a source: its name and checksum."""
    return {"name": row, "checksum": sources.find(row).checksum}
