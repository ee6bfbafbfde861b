"""What is measured on pictures: distance to the real ones, diversity, accuracy; small networks for a CPU and the published.

Pictures are uint8 tensors `[n, h, w, 3]` everywhere. A number of this package says something only beside the same number
of real pictures (`frechet.split_half_distance`, `diversity.pairwise_diversity` and accuracy on the test split).
"""
