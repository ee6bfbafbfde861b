"""Accuracy of the classes that a classifier names, for classes and for superclasses."""

from __future__ import annotations

from torch import Tensor

from finefit.metrics import TooFew


def class_accuracy(named: Tensor, labels: Tensor) -> float:
    """Share of the named classes `[n]` that are those of `labels` `[n]`."""
    return share(named == labels)


def superclass_accuracy(named: Tensor, labels: Tensor, superclass_of: Tensor) -> float:
    """Share of the named classes that lie in the true class's superclass.

    Args:
        named: class ids `[n]`.
        labels: true class ids `[n]`.
        superclass_of: each class's superclass id, int64 `[classes]`.
    """
    return share(superclass_of[named] == superclass_of[labels])


def share(right: Tensor) -> float:
    """Share of true entries; none of none is refused, since it is neither right nor wrong."""
    if not len(right):
        raise TooFew("accuracy of no pictures is undefined: give at least one")
    return right.double().mean().item()
