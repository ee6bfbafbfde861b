"""What a bench runs: one method as the kept study would have run it, and one of the kept runs made again."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finefit.analysis import kept
from finefit.analysis.kept import Kept
from finefit.jobs.job import Job
from finefit.study import reading
from finefit.study.plan import Plan

KEPT = Path("docs/results/mini")
FOLDER = Path("reports/bench")


@dataclass(frozen=True, eq=False)
class Asked:
    """A method beside a kept study.

    Attributes:
        kept: the study whose results it is set beside.
        plan: of a study with the method and the control, on the kept study's data, settings and seeds.
        entry: the method's name in it.
        control: the kept entry of which one run is made again, to see what this machine makes of it.
    """

    kept: Kept
    plan: Plan
    entry: str
    control: str

    @property
    def seed(self) -> int:
        """The control's seed: the first."""
        return self.plan.study.seeds[0]

    @property
    def jobs(self) -> list[Job]:
        """What the comparison reads: every seed of the method, one of the control."""
        return [job for job in self.plan.report.inputs.values() if self.reads(job)]

    @property
    def folder(self) -> Path:
        """Where its page and its study's file stand."""
        return FOLDER / self.entry

    def reads(self, job: Job) -> bool:
        """Whether the comparison reads a job that scores a run."""
        run = job.inputs.get("run") or (job.inputs["sample"].inputs["run"] if "sample" in job.inputs else None)
        if run is None:
            return False
        own = run.name.endswith(f"/{self.entry}-s{run.settings['seed']}")
        return own or run.settings["seed"] == self.seed


def asked(method: str, settings: dict[str, Any], folder: Path = KEPT) -> Asked:
    """A method with its settings, as an entry of a study has them, beside a kept study.

    Raises:
        ValueError: nothing is kept there, what is kept is of code that computes otherwise, or the settings have faults.
    """
    found = kept.read(folder)
    if found is None:
        raise ValueError(f"{folder}: no kept report with {kept.VALUES} and its provenance; `finefit keep` makes one")
    content = found.record["settings"]["study"]
    same_code(folder, content, found.record)
    entry = method if method not in content["methods"] else f"{method}-again"
    control = middle(found)
    asked_for = copy.deepcopy(content)
    asked_for["name"] = f"bench-{entry}"
    asked_for["methods"] = {entry: settings | {"method": method}, control: content["methods"][control]}
    asked_for["sample"]["sweep"] = {}
    asked_for["evaluate"].pop("utility", None)
    return Asked(found, Plan(reading.parse(asked_for, "finefit bench")), entry, control)


def same_code(folder: Path, content: dict[str, Any], record: dict[str, Any]) -> None:
    """Raise ValueError where a kept study's jobs would not be the same today: its numbers are of another recipe."""
    commit = record["code"]["commit"][:8]
    try:
        today = Plan(reading.parse(content, str(folder)))
    except ValueError as fault:
        raise ValueError(f"{folder}: kept by code that read studies otherwise ({fault}); see commit {commit}") from None
    if changed := [path for path in today.report.inputs if path not in record["inputs"]]:
        raise ValueError(
            f"{folder}: kept at commit {commit} by code that computes otherwise ({len(changed)} of "
            f"{len(today.report.inputs)} scores have other recipes or inputs now), so that nothing compares with it; "
            f"keep the study anew, or bench at that commit"
        )


def middle(found: Kept) -> str:
    """The kept entry whose first run is made again: that of the middle number of trained parameters.

    Training a class table alone, or a whole network, would not say what the machine makes of a method between them. An
    entry that is sampled in one way costs least.
    """
    main = found.main
    once = main[~main["entry"].duplicated(keep=False)]
    ordered = (once if len(once) else main).sort_values("trained_parameters", kind="stable")["entry"].unique()
    return str(ordered[(len(ordered) - 1) // 2])
