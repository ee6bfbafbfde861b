"""Latents to a delta: the loop and its chance, learning rates, optimizer, averages, kept state.

May import: jobs, latents, processes, models, objectives, deltas, study.
"""
