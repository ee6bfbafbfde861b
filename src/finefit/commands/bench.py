"""`finefit bench`: where a method stands beside the kept results of all others."""

from __future__ import annotations

from typing import Annotated, Any

import typer
import yaml

app = typer.Typer()


@app.command()
def bench(
    method: Annotated[str, typer.Argument(help="The name of its file in src/finefit/methods.")],
    settings: Annotated[str, typer.Option(help="As an entry of a study has them: '{lr: 5.0e-3}'.")] = "{}",
    tune: Annotated[bool, typer.Option("--tune", help="First choose its rates, by the rule for all others.")] = False,
) -> None:
    """Train a method on what the default study was kept with, and set it beside the kept results of all others.

    No other method is trained again, but for one kept run that shows what this machine makes of the same run. The page
    stands in reports/bench/METHOD.
    """
    from finefit.bench import asked, beside, rates, run, site, told

    chosen = mapping(settings)
    if tune:
        chosen = rates.tuned(method, chosen)
        print(f"The rule chose lr {chosen['lr']:g} and lr_multipliers {chosen['lr_multipliers']}", flush=True)
    wanted = asked.asked(method, chosen)
    file = wanted.folder / "study.yaml"
    run.write(wanted.plan.study, file)
    run.make(file, wanted.jobs)
    print(*told.lines(beside.Beside(wanted)), sep="\n")
    print(f"The page: {site.build(wanted, chosen)}")


def mapping(settings: str) -> dict[str, Any]:
    """Settings that were given as YAML.

    Raises:
        ValueError: they are no mapping.
    """
    try:
        found = yaml.safe_load(settings)
    except yaml.YAMLError as fault:
        raise ValueError(f"--settings: {settings!r} is no YAML ({fault}); give one like '{{lr: 5.0e-3}}'") from None
    if not isinstance(found, dict):
        raise ValueError(f"--settings: {settings!r} is no mapping; give one like '{{lr: 5.0e-3}}'")
    return found
