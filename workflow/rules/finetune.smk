"""One method on one data set, resolution and seed, and pictures from it."""


rule finetune:
    """From base and latents to a delta: what the method trained or added. Resumes where it was killed."""
    input:
        needed("finetune"),
    output:
        update(marker("finetune")),
    log:
        log_of("finetune"),
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
    conda:
        ENVIRONMENT
    resources:
        **asked("sample"),
    message:
        "sample {wildcards.artifact}"
    shell:
        command("sample")
