"""A base with what a method adds: the network, its delta on disk, merging, published layouts.

May import: jobs, hierarchy, latents, processes, models, methods, objectives.
"""
