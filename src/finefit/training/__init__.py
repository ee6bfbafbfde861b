"""Latents to a delta: the loop and its chance, learning rates, optimizer, averages, kept state.

May import: jobs, latents, models, objectives, deltas, diffusion, study.
"""
