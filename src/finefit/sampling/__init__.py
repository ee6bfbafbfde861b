"""A delta to pictures.

May import: jobs, data, hierarchy, codecs, models, deltas, diffusion, study.
"""
