"""Pictures to packed latents, and reading those.

May import: jobs, hierarchy, codecs.
"""
