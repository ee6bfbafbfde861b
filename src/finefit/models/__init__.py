"""The network: a class-conditional Diffusion Transformer and its label embedder.

May import: jobs, data, processes.
"""
