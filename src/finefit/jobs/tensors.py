"""Tensors in safetensors files: written with the rights of any other file, read with a word on what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finefit.jobs import borders, modes

if TYPE_CHECKING:
    from torch import Tensor


def save(tensors: Mapping[str, Tensor], file: Path, metadata: dict[str, str] | None = None) -> None:
    """Write tensors by name, in the order of their names, and texts by name beside them."""
    from safetensors.torch import save_file

    with borders.writing(file):
        save_file({name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}, file, metadata)
    modes.by_umask(file)


@contextmanager
def opened(
    file: Path, framework: str = "pt", what: str = "no safetensors file, or cut off", remedy: str = ""
) -> Iterator[Any]:
    """A safetensors file, whose tensors and texts are read when asked for (`safetensors.safe_open`).

    Args:
        framework: "pt" for torch's tensors, "np" for arrays.
        what: what a file that cannot be read is called, `remedy` what to do about it.

    Raises:
        ValueError: it is no such file, is cut off, or lacks what is asked of it.
    """
    from safetensors import safe_open

    with borders.reading(file, what, remedy), safe_open(file, framework) as content:
        yield content
