"""A delta to pictures.

May import: jobs, hierarchy, codecs, models, deltas, diffusion, study.
"""
