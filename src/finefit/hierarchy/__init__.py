"""Which pictures and classes a data set has, and the superclass of every class.

May import: jobs, data, judges, datasets.
"""
