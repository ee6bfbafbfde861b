"""One command per kind of job, which Snakemake calls; and what goes on beside a job."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from finefit.commands import PARAMS, StudyFile, plan_of
from finefit.jobs import stopping, store
from finefit.jobs.job import PHASES, Job
from finefit.outlook.time_left import outlook
from finefit.study import snapshots

app = typer.Typer()

BUILDERS = {
    "data": "hierarchy.index.build",
    "hierarchy": "hierarchy.superclasses.build",
    "base": "models.checkpoint.build_base",
    "latents": "latents.encode.build",
    "source": "sampling.source.build",
    "finetune": "training.finetune.build",
    "sample": "sampling.sample.build",
    "reference": "evaluation.reference.build",
    "denoise": "evaluation.denoising.build",
    "judge": "evaluation.judge.build",
    "evaluate": "evaluation.evaluate.build",
    "utility": "evaluation.utility.build",
    "report": "report.build",
}

# What libraries import when they are first used: half of a short job's seconds. Its own modules import the rest.
AT_FIRST_USE = dict.fromkeys(["finetune", "reference", "utility"], ["torch._dynamo"])
AT_FIRST_USE |= dict.fromkeys(["judge", "evaluate"], ["torch._dynamo", "timm"])

MaxMinutes = Annotated[
    float | None,
    typer.Option(min=0, envvar="FINEFIT_MAX_MINUTES", help="Keep the state and end with code 75 after so long."),
]


class JobOrCommand(TyperGroup):
    """`finefit data PATH` makes an artifact, as every kind of job; `finefit data check NAME` looks at a data set."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple:
        """The command that the first word names, else the one that makes artifacts."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["make", *args])


data = typer.Typer(cls=JobOrCommand, no_args_is_help=True)
app.add_typer(data, name="data", help="Make one artifact of kind 'data' (its PATH), or look at data sets.")


def job_command(kind: str) -> None:
    """Add the command that makes artifacts of one kind."""
    group, name = (data, "make") if kind == "data" else (app, kind)

    @group.command(name, help=f"Make one artifact of kind {kind!r} (phase {PHASES[kind][0]}), unless it is published.")
    def command(path: Path, study: StudyFile = PARAMS, max_minutes: MaxMinutes = None) -> None:
        stopping.listen(max_minutes)
        planned = plan_of(study)
        snapshots.keep(planned.study, study)
        job = planned.at(path)
        if job.kind != kind:
            raise ValueError(f"{path}: made by `finefit {job.kind}`, not by `finefit {kind}`")
        try:
            store.produce(job, builder(kind))
            print(outlook(planned), flush=True)
        except stopping.ToBeContinued:
            if not job.marker.exists():  # told to stop after the last step: there is nothing to continue
                raise


for _kind in PHASES:
    if _kind != "report":  # its command (commands/reports.py) can do more
        job_command(_kind)


def builder(kind: str) -> Callable[[Job, Path, Path], None]:
    """The function that makes artifacts of a kind; imported only now, since most need torch."""
    module, _, function = BUILDERS[kind].rpartition(".")
    return getattr(import_module(f"finefit.{module}"), function)


def prepare(words: list[str]) -> None:
    """Import what the command that makes an artifact needs, whose second word is a kind of job (`jobs.warm`)."""
    builder(words[1])
    needed = ["pandas", *AT_FIRST_USE.get(words[1], [])]
    if "timm" in needed:
        from finefit.jobs.torchvision_shim import importable_torchvision

        importable_torchvision()
    for module in needed:
        import_module(module)


@app.command("help-encode")
def help_encode(path: Path, study: StudyFile = PARAMS) -> None:
    """Help the process that makes a `latents` artifact: encode shards that nobody works on; that process publishes."""
    from finefit.jobs.devices import device_here
    from finefit.latents.encode import encode

    job = plan_of(study).at(path)
    encode(job, store.SCRATCH / job.digest, device_here())
