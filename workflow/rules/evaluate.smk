"""Samples to numbers, numbers to a page."""

# All kinds stand in one folder; what is no set of scores is told by its name. Were a name two rules' to make, Snakemake
# would look at what each needs.
OTHERS = {"reference": r".+/reference-\w{8}", "judge": r"[^/]+/judges/.+", "denoise": r".+-denoising-\w{8}"}


rule reference:
    """What real pictures and the codec score by themselves, and the networks that judge samples."""
    input:
        needed("reference"),
    output:
        update(marker("reference")),
    log:
        log_of("reference"),
    wildcard_constraints:
        artifact=OTHERS["reference"],
    priority: place("reference")
    conda:
        ENVIRONMENT
    resources:
        **asked("reference"),
    message:
        "reference {wildcards.artifact}"
    shell:
        command("reference")


rule judge:
    """What a judge sees in real pictures, and whether it can be trusted with others."""
    input:
        needed("judge"),
    output:
        update(marker("judge")),
    log:
        log_of("judge"),
    wildcard_constraints:
        artifact=OTHERS["judge"],
    priority: place("judge")
    conda:
        ENVIRONMENT
    resources:
        **asked("judge"),
    message:
        "judge {wildcards.artifact}"
    shell:
        command("judge")


rule denoise:
    """The held-out denoising loss of one run, or of the base."""
    input:
        needed("denoise"),
    output:
        update(marker("denoise")),
    log:
        log_of("denoise"),
    wildcard_constraints:
        artifact=OTHERS["denoise"],
    priority: place("denoise")
    conda:
        ENVIRONMENT
    resources:
        **asked("denoise"),
    message:
        "denoise {wildcards.artifact}"
    shell:
        command("denoise")


rule evaluate:
    """Scores of one set of samples."""
    input:
        needed("evaluate"),
    output:
        update(marker("evaluate")),
    log:
        log_of("evaluate"),
    wildcard_constraints:
        artifact=rf"(?!({'|'.join(OTHERS.values())})/).+",
    priority: place("evaluate")
    conda:
        ENVIRONMENT
    resources:
        **asked("evaluate"),
    message:
        "evaluate {wildcards.artifact}"
    shell:
        command("evaluate")


rule utility:
    """What one run's samples, or real pictures alone, are worth to a classifier."""
    input:
        needed("utility"),
    output:
        update(marker("utility")),
    log:
        log_of("utility"),
    priority: place("utility")
    conda:
        ENVIRONMENT
    resources:
        **asked("utility"),
    message:
        "utility {wildcards.artifact}"
    shell:
        command("utility")


rule report:
    """Tables, figures and the page."""
    input:
        needed("report"),
    output:
        update(marker("report")),
    log:
        log_of("report"),
    priority: place("report")
    conda:
        ENVIRONMENT
    resources:
        **asked("report"),
    message:
        "report {wildcards.artifact}"
    shell:
        command("report")


rule draft:
    """The report of the first seeds, while the others are computed."""
    input:
        needed("draft"),
    output:
        update(marker("draft")),
    log:
        log_of("draft"),
    priority: place("draft")
    conda:
        ENVIRONMENT
    resources:
        **asked("draft"),
    params:
        seeds=lambda wildcards, output: DRAFTS[str(output)].seeds,
    message:
        "draft {wildcards.artifact}"
    shell:
        run(f"report --seeds {{params.seeds}} --study {STUDY_FILE}")
