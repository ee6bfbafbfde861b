"""The diffusion process, and samplers on any network that predicts noise and variance.

May import: models.
"""
