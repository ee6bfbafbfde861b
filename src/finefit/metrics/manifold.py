"""Fidelity and variety apart, and memorisation, from nearest neighbours in feature space.

All pairs of rows meet here, in blocks, so that memory does not grow with their number; on a GPU where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from finefit.jobs.arrays import Rows
from finefit.jobs.devices import device_here
from finefit.metrics import TooFew, drawn

NEIGHBOUR = 3  # k of precision and recall, as published
DENSE_NEIGHBOUR = 5  # k of density and coverage, as published
BATCH, BLOCK = 1024, 2048  # rows that meet at once: 16 MB of distances


def precision_recall(real: Rows, generated: Rows, k: int = NEIGHBOUR) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al. 2019, eq. 1 and 2).

    Precision is the share of generated pictures that lie within some real picture's distance to its k-th nearest real
    picture; recall is the same with the roles exchanged. Both grow with the number of pictures, so compare equal
    numbers only.

    Args:
        real, generated: features `[n, d]` and `[m, d]`, each of more than k rows.
    """
    for name, features in (("real", real), ("generated", generated)):
        if len(features) <= k:
            raise TooFew(f"{len(features)} {name} pictures have no {k}-th neighbour: give more than {k}")
    return covered(generated, real, k), covered(real, generated, k)


def covered(points: Rows, support: Rows, k: int) -> float:
    """Share of `points` within the k-th neighbour's distance of at least one row of `support`."""
    radii = nearest(support, support, k + 1)[:, k].to(device_here())  # the nearest of all is the row itself
    inside = 0
    for part in blocks(points, BATCH):
        reached = torch.zeros(len(part), dtype=torch.bool, device=part.device)
        for start, block in numbered(blocks(support, BLOCK)):
            reached |= (distances(part, block) <= radii[start : start + len(block)]).any(1)
        inside += int(reached.sum())
    return inside / len(points)


def density_coverage(real: Rows, generated: Rows, k: int = DENSE_NEIGHBOUR) -> tuple[float, float]:
    """Density and coverage (Naeem et al. 2020, eq. 3 and 4), which no single outlier raises.

    Density is the mean number of real pictures whose distance to their k-th real neighbour reaches a generated one,
    over k: about 1 where both are one distribution, and more where generated pictures crowd in dense places. Coverage
    is the share of real pictures with a generated one within that distance.

    Args:
        real, generated: features `[n, d]` and `[m, d]`; more than k real rows.
    """
    if len(real) <= k:
        raise TooFew(f"{len(real)} real pictures have no {k}-th neighbour: give more than {k}")
    radii = nearest(real, real, k + 1)[:, k].to(device_here())
    reached, hits = torch.zeros_like(radii, dtype=torch.bool), 0
    for part in blocks(generated, BATCH):
        for start, block in numbered(blocks(real, BLOCK)):
            rows = slice(start, start + len(block))
            inside = distances(part, block) <= radii[rows]
            reached[rows] |= inside.any(0)
            hits += int(inside.sum())
    return hits / (k * len(generated)), int(reached.sum()) / len(real)


def memorised_share(generated: np.ndarray, apart: np.ndarray, copies: np.ndarray, quantile: float = 0.01) -> float:
    """Share of generated pictures that lie nearer to a training picture than nearly all real test pictures do.

    The bound is the given quantile of test pictures' distances to their nearest training picture; pictures that are
    neither copied nor far off score the quantile itself (after van den Burg and Williams 2021). Test pictures that are
    themselves copies of training pictures say nothing of it and are left out.

    Args:
        generated: the distances of generated pictures (`gaps`), as `apart` those of test pictures.
        copies: which test pictures are copies (`copied`).

    Raises:
        TooFew: there is no test picture, or each is a copy.
    """
    looked_at = apart[~np.isnan(apart) & ~copies]
    if not len(looked_at):
        raise TooFew(f"of {len(apart)} test pictures none is other than a training picture, so there is no bound")
    return float((generated[~np.isnan(generated)] < np.quantile(looked_at, quantile)).mean())


def gaps(points: Rows, train: Rows) -> np.ndarray:
    """Distance `[n]` of each of `points` to its nearest training picture; nan beyond a draw of `metrics.MOST`."""
    found, rows = np.full(len(points), np.nan), drawn(len(points))
    if len(rows):
        found[rows] = nearest(points[rows], train, 1)[:, 0].numpy()
    return found


def copied(apart: np.ndarray, features: Rows) -> np.ndarray:
    """Which pictures are copies: `apart` `[n]` from their nearest by no more than rounding of their features."""
    rows = np.flatnonzero(~np.isnan(apart))
    found = np.zeros(len(apart), bool)
    found[rows] = apart[rows] <= 1e-5 * np.linalg.norm(np.asarray(features[rows], np.float64), axis=1)
    return found


def nearest(points: Rows, support: Rows, k: int) -> Tensor:
    """Distances of each of `points` `[n, d]` to its k nearest rows of `support`, ascending: `[n, k]`.

    All points are in memory, and `support` is read once. What is found is kept in place: small tensors that come and go
    between the large blocks would keep the memory of these from being used again.
    """
    k = min(k, len(support))
    points = torch.as_tensor(np.asarray(points[:], np.float64)).to(device_here())
    best = torch.full((len(points), k), torch.inf, dtype=points.dtype, device=points.device)
    for block in blocks(support, BLOCK):
        for part, found in zip(points.split(BATCH), best.split(BATCH), strict=True):
            near = distances(part, block).topk(min(k, len(block)), largest=False).values
            found.copy_(torch.cat([found, near], 1).topk(k, largest=False).values)
    return best.cpu()


def nearest_rows(points: np.ndarray, support: Rows) -> np.ndarray:
    """Row number in `support` of the nearest to each of a few `points` `[n, d]`: `[n]`."""
    points = torch.as_tensor(np.asarray(points, np.float64)).to(device_here())
    best, rows = np.full(len(points), np.inf), np.zeros(len(points), np.int64)
    for start, block in numbered(blocks(support, BLOCK)):
        values, places = (found.cpu().numpy() for found in distances(points, block).min(1))
        rows = np.where(values < best, start + places, rows)
        best = np.minimum(best, values)
    return rows


def distances(points: Tensor, support: Tensor) -> Tensor:
    """Euclidean distances of all pairs, in float64 and without the cancellation of the product form."""
    return torch.cdist(points, support, compute_mode="donot_use_mm_for_euclid_dist")


def blocks(features: Rows, size: int) -> Iterator[Tensor]:
    """Rows in float64 on the device, so many at a time."""
    device = device_here()
    for start in range(0, len(features), size):
        yield torch.as_tensor(np.asarray(features[start : start + size], np.float64)).to(device)


def numbered(parts: Iterator[Tensor]) -> Iterator[tuple[int, Tensor]]:
    """Blocks of `BLOCK` rows, each with the number of its first one."""
    for number, part in enumerate(parts):
        yield number * BLOCK, part
