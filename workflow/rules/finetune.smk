"""One method on one data set, resolution and seed, and pictures from it."""


rule finetune:
    """From base and latents to a delta: what the method trained or added. Resumes where it was killed."""
    input:
        needed("finetune"),
    output:
        update(marker("finetune")),
    log:
        log_of("finetune"),
    resources:
        mem_mb=16000,
        runtime=1440,
        gpu=1,
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
    resources:
        mem_mb=16000,
        runtime=1440,
        gpu=1,
    message:
        "sample {wildcards.artifact}"
    shell:
        command("sample")
