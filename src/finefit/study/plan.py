"""A study as jobs: what there is to make, and what depends on what.

The Snakefile, the command line and the report ask this module; none of them builds a path. All paths are known before
anything runs, since a job's digest decides its own (`finefit.jobs.job`). No torch here.
"""

from __future__ import annotations

import copy
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from finefit import datasets, judges, processes
from finefit.codecs import CODECS
from finefit.data import sources
from finefit.hierarchy import clustered
from finefit.jobs.job import Job
from finefit.study.config import Study
from finefit.study.sections import BaseSettings

# Weights of the networks behind the published metrics that are no judge's.
PUBLISHED = {"lpips": "alexnet-owt-7be5be79"}

DENOISING = {"denoising_per_class", "denoising_timesteps"}  # of `evaluate`: what the denoising loss is taken on


class Plan:
    """All jobs of a study, each once, inputs before what needs them."""

    def __init__(self, study: Study):
        self.study = study
        self.jobs: list[Job] = []
        self._known: dict[str, Job] = {}
        self.base = self._base(study.base)
        evaluations = [
            evaluation
            for name, section in study.data.items()
            for resolution in section.resolutions
            for evaluation in self._evaluations(name, resolution)
        ]
        settings = {"study": study.model_dump(mode="json")}
        given = copy.deepcopy(settings)
        for name, section in settings["study"]["data"].items():
            section["options"] = datasets.identity(study.reader(name), section["options"])
        scored = [*evaluations, *self.kind("denoise"), *self.kind("utility")]
        inputs = {job.path.as_posix(): job for job in scored}
        self.report = self._add("report", study.name, settings, inputs, {} if given == settings else given)

    def phase(self, name: str) -> list[Job]:
        """Jobs of one phase."""
        return [job for job in self.jobs if job.phase == name]

    def kind(self, kind: str) -> list[Job]:
        """Jobs of one kind."""
        return [job for job in self.jobs if job.kind == kind]

    def missing(self) -> list[Job]:
        """Jobs whose artifact is not published."""
        return [job for job in self.jobs if not job.marker.exists()]

    def at(self, path: str | Path) -> Job:
        """The job whose artifact stands at `path`.

        Raises:
            ValueError: this study has none there.
        """
        for job in self.jobs:
            if job.path == Path(path):
                return job
        raise ValueError(f"{path}: no job of study {self.study.name!r} makes this; see `finefit plan`")

    def _add(
        self,
        kind: str,
        name: str,
        settings: dict[str, Any],
        inputs: dict[str, Job] | None = None,
        given: dict[str, Any] | None = None,
    ) -> Job:
        job = Job(kind, name, settings, inputs or {}, given or {})
        if job.digest not in self._known:
            self._known[job.digest] = job
            self.jobs.append(job)
        return self._known[job.digest]

    def _base(self, base: BaseSettings) -> Job | None:
        if base.weights is None:
            return None
        return self._add("base", base.weights, base.model_dump() | {"weights": _source(base.weights)})

    @cached_property
    def _codec(self) -> dict[str, Any]:
        name = self.study.codec.name
        beside = [_source(row) for row in CODECS[name].beside]
        return {"name": name, "weights": _source(self.study.codec.weights)} | ({"beside": beside} if beside else {})

    @cached_property
    def _denoising(self) -> dict[str, Any]:
        return self.study.evaluate.model_dump(include=DENOISING | {"drift_pictures"})

    def _evaluations(self, name: str, resolution: int) -> list[Job]:
        study, group = self.study, f"{name}-{resolution}"
        reader, options = study.reader(name), study.reader_settings(name)
        full = {key: value for key, value in asdict(options).items() if value is not None}
        own = datasets.identity(reader, full)
        settings = {"reader": study.data[name].reader or name, "options": own}
        settings["sources"] = [_source(row) for row in reader.sources(options)]
        if hasattr(reader, "listing"):
            settings["listing"] = reader.listing(options)
        trial = {"trial": study.data[name].trial} if study.data[name].trial else {}
        settings |= trial
        data = self._add("data", name, settings, given={} if own == full else {"options": full})
        hierarchy = self._hierarchy(name, data)
        pixels = {"resolution": resolution}
        latents = self._add("latents", group, pixels | {"codec": self._codec}, {"data": data})
        judged_by = study.evaluate.model_dump(exclude={"published", "judges", "utility", "drift_pictures", *DENOISING})
        per_class = study.data[name].per_class or study.sample.per_class
        judged_by |= {"per_class": per_class, "codec": self._codec}
        reference = self._add(
            "reference", f"{group}/reference", pixels | judged_by, {"data": data, "hierarchy": hierarchy}
        )
        for base in filter(None, map(self._base, study.bases())):
            self._denoise(f"{group}/base", {"base": base, "latents": latents})
        judging = [self._judge(judge, group, pixels | {"per_class": per_class}, reference) for judge in study.judges()]
        published = {metric: _source(PUBLISHED[metric]) for metric in study.evaluate.published if metric in PUBLISHED}
        evaluations = []
        for entry in study.methods:
            training, trained_on = self._training(entry, latents, hierarchy)
            guidances = [self._sampling(entry) | guided for guided in self._guidances(entry)]
            for seed in study.seeds:
                name = f"{group}/{entry}-s{seed}"
                run, shorter_run = self._add("finetune", name, training | {"seed": seed}, trained_on), None
                if steps := study.sample.auto_steps:
                    shorter = {"seed": seed, "train": training["train"] | {"steps": steps}}
                    shorter_run = self._add("finetune", f"{name}-after-{steps}", training | shorter, trained_on)
                self._denoise(name, {"run": run})
                self._utility(run, shorter_run, guidances, resolution, data)
                for guided in guidances:
                    sample = self._sample(run, shorter_run, guided | {"per_class": per_class} | trial)
                    inputs = {"sample": sample, "reference": reference}
                    inputs |= {f"judge {job.settings['judge']}": job for job in judging}
                    evaluations.append(self._add("evaluate", sample.name, {"published": published}, inputs))
        return evaluations

    def _hierarchy(self, name: str, data: Job) -> Job:
        """Of data set `name`; with the network that groups its classes, where its superclasses are derived."""
        settings = self.study.hierarchy(name)
        if settings["superclass"] == "derived":
            weights = _source(judges.weights(clustered.JUDGE))
            settings |= {"judge": clustered.JUDGE, "weights": weights, "resolution": clustered.RESOLUTION}
        return self._add("hierarchy", name, settings, {"data": data})

    def _training(self, entry: str, latents: Job, hierarchy: Job) -> tuple[dict[str, Any], dict[str, Job]]:
        """Settings, but for the seed, and inputs of an entry's runs."""
        study, method, base_settings = self.study, self.study.method_settings(entry), self.study.base_of(entry)
        settings = {
            "method": study.methods[entry].get("method", entry),
            "method_settings": asdict(method) | {"lr": method.lr or study.train.lr},
            "train": study.training(entry).model_dump(exclude={"lr"}),
            "network": base_settings.model_dump(include={"size", "patch", "process"}),
        }
        inputs, base = {"latents": latents}, self._base(base_settings)
        if base:
            inputs["base"] = base
        objective, minimised = study.objective(entry)
        if objective != "plain":
            settings["objective"] = {"name": objective} | asdict(minimised)
        if base and minimised.source:
            inputs["source"] = self._source_pictures(base, minimised.source, latents.settings["resolution"])
        if method.embedder != "flat":
            inputs["hierarchy"] = hierarchy
        return settings, inputs

    def _source_pictures(self, base: Job, settings: dict[str, Any], resolution: int) -> Job:
        """Pictures that the base draws with no class asked for, for every run that is trained on such."""
        own = {"resolution": resolution, "codec": self._codec}
        return self._add("source", f"source/{base.name}-{resolution}", settings | own, {"base": base})

    def _sampling(self, entry: str) -> dict[str, Any]:
        """Settings of an entry's samples, whatever guides them."""
        return self.study.sampling(entry).model_dump(exclude={"scale", "sweep", "guidance", "auto_steps"})

    def _guidances(self, entry: str) -> list[dict[str, Any]]:
        """Guidances and scales that a method is sampled with; scale 1 is no guidance and comes once."""
        references, scales = self.study.guidances(entry), self.study.scales(entry)
        guided = [{"guidance": name, "scale": scale} for scale in scales if scale != 1 for name in references]
        unguided = [{"guidance": "none", "scale": 1.0}] if 1 in scales or not references else []
        return unguided + guided

    def _sample(self, run: Job, shorter_run: Job | None, own: dict[str, Any]) -> Job:
        """Samples of a run; guidance "auto" points away from `shorter_run`, the same run trained for less long."""
        unused = {"guidance_form"} if own["guidance"] in ("none", "learned") else set()
        own = {key: value for key, value in own.items() if key not in unused}
        name = f"{run.name}-{own['guidance']}-{own['scale']:g}"
        own |= {"seed": run.settings["seed"], "codec": self._codec} | processes.told(run.settings["network"])
        inputs = {"run": run, "other": shorter_run} if shorter_run and own["guidance"] == "auto" else {"run": run}
        return self._add("sample", name, own, inputs)

    def _judge(self, name: str, group: str, settings: dict[str, Any], reference: Job) -> Job:
        """A judge of real pictures; the reference is an input of the one that it trains, not of the others."""
        row = judges.weights(name)
        inputs = {role: reference.inputs[role] for role in ("data", "hierarchy")}
        inputs |= {} if row else {"reference": reference}
        weights = {"weights": _source(row)} if row else {}
        return self._add("judge", f"{group}/judges/{judges.slug(name)}", {"judge": name} | weights | settings, inputs)

    def _utility(self, run: Job, shorter_run: Job | None, guidances: list[dict], resolution: int, data: Job) -> None:
        """What a run's samples (main scale, first guidance) are worth, and real pictures alone under the same seed."""
        worth = self.study.evaluate.utility
        if worth is None:
            return
        settings = worth.model_dump(exclude={"per_class"}) | {"resolution": resolution, "seed": run.settings["seed"]}
        alone = {key: value for key, value in settings.items() if key != "ratios"}
        self._add("utility", f"{run.name.partition('/')[0]}/real-s{run.settings['seed']}", alone, {"data": data})
        main = next((own for own in guidances if own["scale"] == self.study.sample.scale), guidances[0])
        sample = self._sample(run, shorter_run, main | {"per_class": worth.per_class})
        self._add("utility", sample.name, settings, {"data": data, "sample": sample})

    def _denoise(self, name: str, inputs: dict[str, Job]) -> Job:
        drifts = "run" in inputs and "base" in inputs["run"].inputs
        settings = {key: self._denoising[key] for key in self._denoising if drifts or key in DENOISING}
        return self._add("denoise", f"{name}-denoising", settings, inputs)


def _source(row: str) -> dict[str, str]:
    """What identifies a source: its name and checksum."""
    return {"name": row, "checksum": sources.find(row).checksum}
