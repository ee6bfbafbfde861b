"""In which order a study's jobs are best done: seed by seed, so that there are results to see long before the last.

A seed's jobs are those of every method's pictures at the study's main scale first, then what sweeps, classifiers and
held-out losses add. After each seed but the last stands a draft of the report: that of the same study with the seeds
so far. A job's place in the order is a wish and never a wait: on a cluster all that can run is submitted at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from finefit.jobs.job import PHASES, Job
from finefit.jobs.store import SCRATCH
from finefit.study.plan import Plan

FOLDER = SCRATCH / "drafts"
AWAITED = ("reference", "judge")  # of no run, and all scores need them


@dataclass(frozen=True, eq=False)
class Draft:
    """The report of a study's first seeds: `report` is the job of the study that has no others."""

    seeds: int
    report: Job

    @property
    def path(self) -> Path:
        """Its folder, the same for all drafts of a study: each takes the place of the one before."""
        return FOLDER / self.report.name

    @property
    def marker(self) -> Path:
        """The file whose presence says that it was drawn, though another may stand in its place by now."""
        return FOLDER / f"{self.report.name}-{self.report.digest[:8]}.drawn"


def order(plan: Plan) -> list[Job]:
    """All jobs, those that are best done first before the others, and inputs before what needs them.

    What every score waits for comes before the runs: while it is made alone at the end, other cores have nothing to do.
    """
    turn = turns(plan)
    kinds = [kind for kind in PHASES if kind not in AWAITED]
    begun = kinds.index("finetune")
    kinds[begun:begun] = AWAITED
    return sorted(plan.jobs, key=lambda job: (turn[job.digest], kinds.index(job.kind)))


@lru_cache(maxsize=1)  # every phase asks
def turns(plan: Plan) -> dict[str, int]:
    """The turn of each job, by its digest: twice its seed's place in the study, and one more where a draft can wait.

    Not to be changed.
    """
    found: dict[str, int] = {plan.report.digest: 2 * len(plan.study.seeds)}
    scales: dict[str, set[float]] = {}  # of each run's scored samples
    for job in plan.kind("evaluate"):
        sample = job.inputs["sample"]
        scales.setdefault(sample.inputs["run"].digest, set()).add(sample.settings["scale"])

    def take(job: Job, turn: int) -> None:
        if turn < found.get(job.digest, turn + 1):
            found[job.digest] = turn
            for source in job.inputs.values():
                take(source, turn)

    for job in plan.report.inputs.values():
        seed = seed_of(job)
        place = 0 if seed is None else plan.study.seeds.index(seed)
        take(job, 2 * place + can_wait(job, plan.study.sample.scale, scales))
    return found


def goes_by_seed(plan: Plan, phase: str) -> bool:
    """Whether a phase has jobs of some seeds alone, so that there may be a draft before its last."""
    turn = turns(plan)
    return any(turn[job.digest] > 0 for job in plan.phase(phase))


def seed_of(scored: Job) -> int | None:
    """The seed of the run behind some scores; None of those of the base."""
    settings = scored.inputs.get("sample", scored.inputs.get("run", scored)).settings
    return settings.get("seed")


def can_wait(scored: Job, main: float, scales: dict[str, set[float]]) -> bool:
    """Whether scores are a classifier's, a held-out loss, or of samples at another scale than the main one too."""
    if scored.kind != "evaluate":
        return scored.kind in ("utility", "denoise")
    sample = scored.inputs["sample"]
    return sample.settings["scale"] != main and main in scales[sample.inputs["run"].digest]


@lru_cache(maxsize=1)  # a digest of a draft covers the whole study
def drafts(plan: Plan) -> list[Draft]:
    """The drafts of a study: of its first seed, of its first two, and so on; none of a study with one seed.

    Not to be changed.
    """
    turn, found = turns(plan), []
    for seeds in range(1, len(plan.study.seeds)):
        fewer = plan.study.model_copy(update={"seeds": plan.study.seeds[:seeds]})
        scored = {role: job for role, job in plan.report.inputs.items() if turn[job.digest] <= 2 * (seeds - 1)}
        found.append(Draft(seeds, Job("report", plan.study.name, {"study": fewer.model_dump(mode="json")}, scored)))
    return found


def due(plan: Plan) -> list[Draft]:
    """Drafts that are not drawn yet, but for those after which the next one, or the report, can be drawn at once."""
    every = drafts(plan)
    later = [*(draft.report for draft in every[1:]), plan.report]
    return [
        draft
        for draft, after in zip(every, later, strict=False)  # a study of one seed has no draft before its report
        if not draft.marker.exists() and not all(job.marker.exists() for job in after.inputs.values())
    ]
