"""Pictures to scores: what real pictures score and the networks that judge, then every set of samples.

May import: jobs, data, judges, hierarchy, codecs, processes, models, deltas, metrics.
"""
