"""Out of the repository: a run as a diffusers pipeline, and folders of generated pictures.

`diffusers_folder` writes a pipeline's folder, with `card` its model card; `pipeline` is copied into it and runs without
finefit. `pictures` fills a folder for somebody's classifier.

May import: jobs, data, datasets, hierarchy, codecs, processes, models, deltas, study, sampling, analysis, report.
"""
