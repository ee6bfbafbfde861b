"""Accuracy of a classifier's logits, for classes and for superclasses."""

from __future__ import annotations

from torch import Tensor

from finefit.metrics import TooFew


def class_accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of the rows of `logits` `[n, classes]` whose largest entry is at the class of `labels` `[n]`."""
    return share(logits.argmax(1) == labels)


def superclass_accuracy(logits: Tensor, labels: Tensor, superclass_of: Tensor) -> float:
    """Share of the rows whose most likely class lies in the true class's superclass.

    Args:
        logits: `[n, classes]`.
        labels: true class ids `[n]`.
        superclass_of: each class's superclass id, int64 `[classes]`.
    """
    return share(superclass_of[logits.argmax(1)] == superclass_of[labels])


def share(right: Tensor) -> float:
    """Share of true entries; none of none is refused, since it is neither right nor wrong."""
    if not len(right):
        raise TooFew("accuracy of no pictures is undefined: give at least one row of logits")
    return right.double().mean().item()
