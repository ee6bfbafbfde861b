"""Sources and files: the table of sources, downloads, archives, list files, pictures as pixels.

May import: jobs.
"""
