"""Where `snakemake` and tools look first; the workflow's table of contents is workflow/Snakefile."""


include: "workflow/Snakefile"
