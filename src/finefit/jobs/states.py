"""What an interrupted training kept, read again; torch is imported only then."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any


def read(file: Path) -> dict[str, Any] | None:
    """The state that `torch.save` wrote, on the CPU; None without one.

    One that was cut off, as by a power failure, is put aside and told: training starts anew.
    """
    import torch

    if not file.exists():
        return None
    try:
        return torch.load(file, weights_only=True, map_location="cpu")
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        aside = file.with_suffix(".damaged")
        file.replace(aside)
        why = (str(error).splitlines() or [type(error).__name__])[0]
        print(f"{file}: cut off ({why}); put aside as {aside.name}, from the start", file=sys.stderr)
        return None
