"""What is asked: the typed study, reading it, and the plan of its jobs. No torch here.

May import: jobs, data, judges, datasets, hierarchy, codecs, processes, models, methods, objectives.
"""
