"""The bench: where a new method stands beside the kept results of all others, none of which is trained again.

`asked` makes a study of the method alone, on what the kept study had; `rates` chooses its learning rates by the rule
that chose those of all others; `run` has Snakemake make the jobs; `beside` compares; `told` and `page` say it.

May import: jobs, study, analysis, report.
"""
