"""Programs that some tests need and pip does not bring: from Debian's packages, where this machine can have them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from finefit.jobs.locks import only_one

LOG = Path("/var/tmp/finefit-apt.log")


def provide(programs: tuple[str, ...], packages: tuple[str, ...]) -> None:
    """Have `programs`, installing Debian's `packages` as root if need be; else skip, saying why.

    Under CI, where apt-get is there and fails, the test fails: a machine that could have had them must run it.
    """
    if all(map(shutil.which, programs)):
        return
    wanted = " ".join(packages)
    if not shutil.which("apt-get") or os.geteuid() != 0:
        pytest.skip(f"no {programs[0]} here, and no apt-get that may install it (Debian: apt-get install {wanted})")
    install = f"apt-get install -qq -y --no-install-recommends {wanted}"
    with only_one(LOG.with_suffix(".lock"), wanted), open(LOG, "w") as log:
        quiet = {"stdout": log, "stderr": log, "env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}}
        done = all(map(shutil.which, programs)) or not subprocess.call(
            ["sh", "-c", f"{install} || {{ apt-get update -qq && {install}; }}"], **quiet
        )
    if not done:
        told = f"apt-get could not install {wanted} (see {LOG})"
        pytest.fail(told) if "CI" in os.environ else pytest.skip(told)
