"""What is measured on pictures, by small networks for a CPU and by the published ones: distance, diversity, accuracy.

Pictures are uint8 tensors `[n, h, w, 3]` everywhere. A number says something only beside the same number of real
pictures (`frechet.split_half_distance`; `diversity.pairwise_diversity` and accuracy on the test split).

May import: jobs.
"""


class TooFew(ValueError):
    """There are too few pictures for a measure to have a value; the message says which and how many it takes."""
