"""Makes torchvision importable beside a torch build that its wheel was not made for (a CPU torch).

lpips and clean-fid import torchvision, whose wheel then stops at "operator torchvision::nms does not exist". Declared
without an implementation, that operator lets the import pass; nothing here calls it.
"""

from __future__ import annotations

import sys

import torch

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
kept: list[torch.library.Library] = []  # a library's declarations last as long as the object


def importable_torchvision() -> None:
    """Import torchvision, with the missing operators declared if need be; does nothing where it imports by itself."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        kept.append(torch.library.Library("torchvision", "FRAGMENT"))
        for schema in SCHEMAS:
            kept[0].define(schema)
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # half imported
        import torchvision  # noqa: F401
