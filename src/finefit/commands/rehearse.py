"""`finefit rehearse`: a study at its true shapes, before a week of a cluster is spent on it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from finefit.commands import needed, plan_of
from finefit.jobs import stopping

app = typer.Typer()


@app.command()
def rehearse(
    study: Annotated[Path, typer.Argument(help="The study: params.yaml or a file of studies/.")],
    keep: Annotated[bool, typer.Option("--keep", help="Leave the rehearsal's folder where it is.")] = False,
    ranks: Annotated[int, typer.Option(min=1, help="Processes of a fine-tuning or sampling, where no GPUs say.")] = 1,
) -> None:
    """Run every kind of a study's jobs at its true shapes, on a few drawn pictures; say what each needs and would fail.

    Works in rehearsals/NAME and goes on where it was stopped. The rates that it measures are what `finefit plan` goes
    by from then on.
    """
    import torch

    from finefit.outlook import doctor, forecast, rates
    from finefit.rehearsal import folder, run, studies, told
    from finefit.study.plan import Plan

    stopping.listen()
    if ranks > 1:
        os.environ["FINEFIT_RANKS"] = str(ranks)
    planned, on_gpu = plan_of(study), torch.cuda.is_available()
    parts = studies.derived(planned.study, on_gpu)
    place = folder.made(planned.study, parts, say)
    with folder.inside(place):
        plans = [Plan(part) for part in parts]
    found = run.outcomes(plans, place, on_gpu, say)
    print(*told.table(found, place), sep="\n")
    rates.keep(told.measured(found))
    print("The whole study, by what was measured here:", *forecast.table(planned), sep="\n")
    failures = [*told.failures(found), *told.exceeding(found)]
    checks = [doctor.slurm(planned), doctor.disk(planned, needed(planned))]
    failures += [f"{what}: {said}" for check in checks for verdict, what, said in check if verdict == "fails"]
    failures += [f"source {line}" for line in doctor.missing(needed(planned))]
    print(*[f"would fail  {line}" for line in failures] or ["Nothing that was rehearsed would fail."], sep="\n")
    if not keep and not any(one.reason.startswith("fails") for one in found):
        shutil.rmtree(place)
    else:
        print(f"left in {place}: the same command goes on there, or makes the table again")
    if failures:
        raise ValueError(f"{study}: {len(failures)} findings above; mend them, and repeat")


def say(line: str) -> None:
    """Progress, at once."""
    print(line, flush=True)
