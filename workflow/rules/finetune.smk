"""One method on one data set, resolution and seed, and pictures from it."""


rule source:
    """Pictures that the untouched base draws, for objectives that train on such."""
    input:
        needed("source"),
    output:
        update(marker("source")),
    log:
        log_of("source"),
    wildcard_constraints:
        artifact=r"source/.+",
    priority: place("source")
    conda:
        ENVIRONMENT
    resources:
        **asked("source"),
    message:
        "source {wildcards.artifact}"
    shell:
        command("source")


rule finetune:
    """From base and latents to a delta: what the method trained or added. Resumes where it was killed."""
    input:
        needed("finetune"),
    output:
        update(marker("finetune")),
    log:
        log_of("finetune"),
    wildcard_constraints:
        artifact=r"(?!source/).+",  # what is no run, and stands in the same folder
    priority: place("finetune")
    conda:
        ENVIRONMENT
    resources:
        **asked("finetune"),
    message:
        "finetune {wildcards.artifact}"
    shell:
        command("finetune")


rule sample:
    """Pictures of every class, at one guidance and scale."""
    input:
        needed("sample"),
    output:
        update(marker("sample")),
    log:
        log_of("sample"),
    priority: place("sample")
    conda:
        ENVIRONMENT
    resources:
        **asked("sample"),
    message:
        "sample {wildcards.artifact}"
    shell:
        command("sample")
