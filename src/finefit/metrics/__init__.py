"""What is measured on pictures, by small networks for a CPU and by the published ones: distance, diversity, accuracy.

Pictures are uint8 tensors `[n, h, w, 3]` everywhere. A number says something only beside the same number of real
pictures (`frechet.split_half_distance`; `diversity.pairwise_diversity` and accuracy on the test split).

Features are arrays `[n, d]`, in memory or in a file (`jobs.arrays.Rows`). Where the sums of a metric can be taken a
part at a time they are; where all pairs of rows meet, `MOST` of either kind are drawn.

May import: jobs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from finefit.jobs.arrays import Rows

MOST = 20_000  # rows of a set whose pairs are looked at, drawn at random from more
PART_BYTES = 2**26  # of a part of float64 features: 65,536 rows of 128 numbers, 4,096 of 2,048


class TooFew(ValueError):
    """There are too few pictures for a measure to have a value; the message says which and how many it takes."""


def in_parts(features: Rows, beside: int = 0) -> Iterator[np.ndarray]:
    """All rows of features `[n, d]` in order and in float64, as many at a time as `PART_BYTES` hold.

    `beside` is how many further float64 numbers stand beside each row.
    """
    size = max(1, PART_BYTES // (8 * (features.shape[1] + beside)))
    for start in range(0, len(features), size):
        yield np.asarray(features[start : start + size], np.float64)


def drawn(count: int) -> np.ndarray:
    """Numbers of at most `MOST` of `count` rows, ascending: all where there are no more, else a random draw."""
    return np.sort(np.random.default_rng(0).permutation(count)[:MOST])
