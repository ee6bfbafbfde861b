"""FineFit: parameter-efficient fine-tuning of diffusion transformers as a reproducible workflow.

    import finefit

    run = finefit.load("runs/embedded-32/difffit-s3-d469a152")
    run.sample(["speckled wine oval leaf", "spotted silver fork-tailed fish"], seed=0)[0].save("leaf.png")

Importing the package imports neither torch nor any other heavy library; see `finefit.commands` for the commands.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finefit.sampling.trained import Trained

__version__ = "0.1.0"


def load(run: str | os.PathLike[str]) -> Trained:
    """Open a fine-tuned run by its folder, to draw from it; the working directory is the repository's root.

    Raises:
        ValueError: it is no folder of a run, or what it was made from is not there.
    """
    from pathlib import Path

    from finefit.sampling import trained

    return trained.load(Path(run))
