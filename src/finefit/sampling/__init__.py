"""A delta to pictures.

May import: jobs, codecs, models, deltas, diffusion, study.
"""
