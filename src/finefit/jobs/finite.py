"""Numbers that have to be finite: checked where they are made, so that nothing is computed from NaN and published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor


def require_finite(what: str, values: Mapping[str, Tensor | np.ndarray | float] | Tensor | np.ndarray) -> None:
    """Raise ValueError where a number is NaN or infinite.

    Args:
        what: what the numbers are, for the message.
        values: one array, or several numbers and arrays by name; the message names those that are not finite.
    """
    named: Iterable = values.items() if isinstance(values, Mapping) else [("", values)]
    faulty = [name for name, value in named if not torch.isfinite(torch.as_tensor(value)).all()]
    if faulty:
        more = f" and {len(faulty) - 3} more" if len(faulty) > 3 else ""
        names = f" ({', '.join(faulty[:3])}{more})" if any(faulty) else ""
        raise ValueError(f"{what}: not finite (NaN or infinite){names}; nothing of it is published")
