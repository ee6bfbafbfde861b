"""Where `snakemake` and tools look first; the workflow's table of contents is workflow/Snakefile."""


include: "workflow/Snakefile"


# What an included file names as the default target counts only within it.
workflow.default_target = rules.all.rule.name
