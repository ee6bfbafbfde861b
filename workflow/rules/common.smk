"""The study of this run, its plan, and what all rules share."""

import gc
import inspect
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from finefit.jobs.job import PHASES, Job
from finefit.outlook import cost, needs, time_left
from finefit.study import reading, snapshots, turns
from finefit.study.config import Study  # and no more: `config` is Snakemake's own
from finefit.study.plan import Plan
from snakemake.common import overwrite_function_params
from snakemake.dag import DAG
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.resources import Resource
from snakemake_interface_executor_plugins.settings import DeploymentMethod
from snakemake_logger_plugin_finefit import LogHandler

# Snakemake's graph holds millions of objects, and keeps them. To look for unused ones among them as often as a program of
# few objects does takes a quarter of the time in which it is built.
gc.set_threshold(100_000, 20, 100)

# A file given by --configfile is the whole study: it is never merged with params.yaml.
if not workflow.overwrite_configfiles:
    try:
        reading.read(Path("params.yaml"))  # says file and line of what Snakemake only calls no YAML
    except ValueError as faults:
        raise WorkflowError(str(faults)) from None

    configfile: "params.yaml"


ORIGIN = Path(workflow.configfiles[-1])


def read_study() -> Study:
    """The study that Snakemake's configuration holds; all its faults at once, with their lines."""
    try:
        return reading.parse(config, str(ORIGIN), reading.read(ORIGIN)[1])
    except ValueError as faults:
        raise WorkflowError(str(faults)) from None


STUDY = read_study()
STUDY_FILE = snapshots.keep(STUDY, ORIGIN)  # an edit of the study's file during a run reaches no job of that run
workflow.config_settings.configfiles = [STUDY_FILE.absolute()]  # what jobs on other nodes read as their study
PLAN = Plan(STUDY)
DIGEST = {"report": "-{digest}"}  # a report keeps its address, so its marker's name bears the digest
ENVIRONMENT = "../envs/finefit.yaml"  # as every rules file sees it
# Jobs call the interpreter that runs this Snakemake, on PATH or not, on a node that of the node's own Snakemake; or the
# one of the environment that Snakemake makes for them.
CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
FINEFIT = f"{'python' if CONDA else shlex.quote(sys.executable)} -P -m finefit"
DRAFTS = {draft.marker.as_posix(): draft for draft in turns.drafts(PLAN)}
DUE = turns.due(PLAN)
JOBS = {job.marker.as_posix(): job for job in PLAN.jobs} | {name: draft.report for name, draft in DRAFTS.items()}
PLACES = {job.digest: number for number, job in enumerate(reversed(turns.order(PLAN)), start=1)}
SHOWN = any(isinstance(one, LogHandler) and one.shows for one in workflow.logger_manager.get_log_handlers())

if workflow.is_main_process:  # whoever shows the run takes up the plan here
    logger.info(f"{STUDY.name}: {time_left.outlook(PLAN)}", extra={"plan": PLAN})


async def no_clock(self, job, expanded_output) -> None:
    """In place of Snakemake's comparison of modification times after a job, which heeds no `ancient`.

    Clocks of nodes differ by minutes; a marker is an artifact's by its name, whenever it was written.
    """


DAG.check_output_mtime = no_clock

for _, _folder in PHASES.values():  # dvc asks for every out, also that of a phase in which this study has no job
    Path(_folder).mkdir(parents=True, exist_ok=True)


def marker(kind: str) -> str:
    """Pattern of a kind's markers: the files whose presence says that an artifact is published.

    Rules flag them with `update`: when another run of the study has just published one, it is not deleted first.
    """
    if kind == "draft":
        return f"{turns.FOLDER}/{{artifact}}.drawn"
    return f"{PHASES[kind][1]}/{{artifact}}/provenance{DIGEST.get(kind, '')}.json"


def log_of(kind: str) -> str:
    """Pattern of what was said while the artifacts of a kind were made."""
    folder = "drafts" if kind == "draft" else PHASES[kind][1]
    return f"logs/{folder}/{{artifact}}{DIGEST.get(kind, '')}.log"


def markers(jobs: Iterable[Job]) -> list:
    """Markers of jobs, as inputs.

    They are ancient: that they exist is all that counts, because a changed input has another path. No modification
    time, which every fresh clone scrambles, decides anything.
    """
    return [ancient(job.marker) for job in jobs]


def drafts() -> list:
    """Markers of the drafts that are due, as inputs."""
    return [ancient(draft.marker) for draft in DUE]


def job_of(kind: str, wildcards) -> Job:
    """The job whose artifact a rule makes."""
    wanted = marker(kind).format(**dict(wildcards.items()))
    if wanted not in JOBS:
        raise WorkflowError(f"{wanted}: no job of study {STUDY.name!r} makes this; see `finefit plan`")
    return JOBS[wanted]


def called(function: Callable) -> Callable:
    """A function with its parameters noted: Snakemake finds them out anew at each of several calls for every job."""
    overwrite_function_params(function, inspect.signature(function).parameters)
    return function


called(Resource.evaluate)  # through which Snakemake calls every resource of every job


def needed(kind: str) -> Callable:
    """Input function of a kind's rule: the markers of what an artifact is built from.

    Once it is published it needs nothing that was deleted since: a run that is made again leaves its samples alone.
    """

    def inputs(wildcards) -> list:
        job = job_of(kind, wildcards)
        return markers(part for part in job.inputs.values() if part.marker.exists() or not job.marker.exists())

    return called(inputs)


def place(kind: str) -> Callable:
    """A rule's priority, from the place of each of its jobs in the order of work; a draft comes as soon as it can."""
    return called(lambda wildcards: PLACES.get(job_of(kind, wildcards).digest, len(PLACES) + 1))


def asked(kind: str) -> dict[str, Callable]:
    """A rule's resources, from the forecast of each of its jobs; more memory and minutes at each further attempt."""
    functions = {
        "mem_mb": lambda wildcards, attempt: needs.mem_mb(job_of(kind, wildcards), attempt),
        "runtime": lambda wildcards, attempt: needs.minutes(job_of(kind, wildcards), attempt),
        "gpu": lambda wildcards: int(cost.uses_gpu(job_of(kind, wildcards))),
    }
    return {name: called(function) for name, function in functions.items()}


def command(kind: str) -> str:
    """A rule's shell command."""
    return run(f"{kind} $(dirname {{output}}) --study {STUDY_FILE}")


def run(words: str, name: str = "{wildcards.artifact}") -> str:
    """A shell command that calls finefit, its output in the rule's log.

    Where no screen shows the run, the terminal has it too, each line with what it makes.

    SIGTERM is for finefit alone, which then keeps its state: it takes the shell's place, and the filters of its output
    do not hear the signal that a scheduler sends to the whole group. The shell's own loop names the lines, because a
    `sed` that does not wait for a full buffer is spelled differently on every system.
    """
    if SHOWN:
        return f"exec {FINEFIT} {words} >> {{log}} 2>&1"
    named = f'while IFS= read -r line || [ -n "$line" ]; do printf \'%s\\n\' "{name}: $line"; done'
    return f"exec {FINEFIT} {words} > >(trap '' TERM; {named} | tee {{log}}) 2>&1"
