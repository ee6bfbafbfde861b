"""The whole command line: a command per kind of job, and others that look at a study, its data, networks and pictures.

`finefit finetune runs/embedded-32/full-s0-1a2b3c4d` makes that artifact unless it stands there already. Snakemake and
dvc call these commands and nothing else.
"""

from __future__ import annotations

import typer

from finefit.commands import bench, data, jobs, networks, pictures, rehearse, reports, study, unets  # noqa: F401 (data adds its commands to jobs' group)

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
for part in (jobs, reports, study, rehearse, networks, pictures, bench, unets):
    app.add_typer(part.app)
