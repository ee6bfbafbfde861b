"""What all methods share: pictures, their hierarchy, the base and the latents."""


rule data:
    """Index a data set: a row per picture, and its classes."""
    input:
        needed("data"),
    output:
        update(marker("data")),
    log:
        log_of("data"),
    priority: place("data")
    conda:
        ENVIRONMENT
    resources:
        **asked("data"),
    message:
        "data {wildcards.artifact}"
    shell:
        command("data")


rule hierarchy:
    """Two levels of a data set's taxonomy: the superclass of every class."""
    input:
        needed("hierarchy"),
    output:
        update(marker("hierarchy")),
    log:
        log_of("hierarchy"),
    priority: place("hierarchy")
    conda:
        ENVIRONMENT
    resources:
        **asked("hierarchy"),
    message:
        "hierarchy {wildcards.artifact}"
    shell:
        command("hierarchy")


rule base:
    """The checkpoint that fine-tuning starts from, verified."""
    input:
        needed("base"),
    output:
        update(marker("base")),
    log:
        log_of("base"),
    priority: place("base")
    conda:
        ENVIRONMENT
    resources:
        **asked("base"),
    message:
        "base {wildcards.artifact}"
    shell:
        command("base")


rule latents:
    """Read and encode a data set's pictures once, into few large packs."""
    input:
        needed("latents"),
    output:
        update(marker("latents")),
    log:
        log_of("latents"),
    priority: place("latents")
    conda:
        ENVIRONMENT
    resources:
        **asked("latents"),
    message:
        "latents {wildcards.artifact}"
    shell:
        command("latents")
