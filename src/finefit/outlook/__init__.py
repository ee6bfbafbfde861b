"""Before and after a study runs: cost, forecast, counts, checks, time left, pruning.

May import: jobs, data, judges, datasets, hierarchy, codecs, processes, models, methods, objectives, deltas, study.
"""
