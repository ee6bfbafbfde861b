"""Diversity within classes: the mean perceptual distance of pictures of the same class.

A higher value is not better by itself. Noise and torn shapes lie further apart than real pictures of a class do, so the
real pictures' value belongs beside it, and what counts is how far from that a set of generated pictures is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from finefit.metrics import TooFew
from finefit.metrics.probe import Images, Probe

Distance = Callable[[Tensor, Tensor], Tensor]  # two uint8 `[n, h, w, 3]` to `[n]`
BATCH = 256
MEMBERS = 2000  # pictures of a class whose pairs are drawn from, at most: two million pairs


def pairwise_diversity(images: Images, labels: Tensor, distance: Distance, pairs_per_class: int, seed: int) -> float:
    """Mean distance over random pairs of one class, then over classes; higher is not better by itself (see above).

    Args: as `class_diversities`; errors: as `mean_diversity`.
    """
    return mean_diversity(class_diversities(images, labels, distance, pairs_per_class, seed))


def mean_diversity(diversities: np.ndarray) -> float:
    """Mean of `class_diversities` over those classes that have pairs.

    Raises:
        TooFew: no class has two pictures.
    """
    if np.isnan(diversities).all():
        raise TooFew("no class has two pictures, so there is no pair to measure")
    return float(np.nanmean(diversities))


def class_diversities(
    images: Images, labels: Tensor, distance: Distance, pairs_per_class: int, seed: int
) -> np.ndarray:
    """Mean distance over random pairs of each class, `[classes]`; nan for a class without pairs.

    Args:
        images: uint8 `[n, h, w, 3]`.
        labels: class ids `[n]`; a class with a single picture has no pairs and is left out.
        distance: `probe_distance(...)` or `published.lpips_distance(...)`.
        pairs_per_class: how many different pairs, or all that a class has; of `MEMBERS` of its pictures at most.
    """
    means = np.full(int(labels.max()) + 1, np.nan)
    for label in labels.unique().tolist():
        members = torch.nonzero(labels == label).flatten().cpu().numpy()
        random = np.random.default_rng([seed, label])
        if len(members) > MEMBERS:
            members = random.choice(members, MEMBERS, replace=False)
        pairs = members[np.stack(np.triu_indices(len(members), 1), 1)]
        chosen = random.permutation(len(pairs))[:pairs_per_class]
        parts = [pairs[chosen[start : start + BATCH]].T for start in range(0, len(chosen), BATCH)]
        distances = [distance(images[left], images[right]).cpu() for left, right in parts]
        if distances:
            means[label] = torch.cat(distances).double().mean().item()
    return means


def probe_distance(probe: Probe) -> Distance:
    """LPIPS (Zhang et al. 2018) without learned weights, on the probe's activations.

    Activations are scaled to unit length over channels at each place; their squared difference is averaged over places
    and summed over layers.
    """

    @torch.no_grad()
    def distance(first: Tensor, second: Tensor) -> Tensor:
        maps = zip(probe.activations(first), probe.activations(second), strict=True)
        return sum((unit(a) - unit(b)).square().sum(1).mean((1, 2)) for a, b in maps)

    return distance


def unit(activation: Tensor) -> Tensor:
    """`[n, c, h, w]` scaled to length one over channels (zero stays zero)."""
    return activation / (activation.norm(dim=1, keepdim=True) + 1e-10)
