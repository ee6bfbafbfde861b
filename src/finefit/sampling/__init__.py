"""A delta to pictures.

May import: jobs, data, hierarchy, codecs, processes, models, deltas, diffusion, study.
"""
