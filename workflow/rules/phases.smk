"""A target per phase of the study: what a stage of dvc.yaml asks for."""

for _phase in dict.fromkeys(phase for phase, _ in PHASES.values()):

    rule:
        name:
            f"phase_{_phase}"
        input:
            markers(PLAN.phase(_phase)),
        localrule: True
        message:
            f"{_phase}: complete"


rule rehearse:
    """Every kind of this study's jobs at its true shapes, on few drawn pictures, in one job: `finefit rehearse`."""
    log:
        f"logs/rehearsals/{STUDY.name}.log",
    retries: 0  # what it finds is for a person to mend
    conda:
        ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: max(needs.mem_mb(job, attempt) for job in PLAN.jobs),
        runtime=lambda wildcards, attempt: 120 * attempt,
        gpu=int(any(map(cost.uses_gpu, PLAN.jobs))),
    message:
        f"rehearsal of {STUDY.name}"
    shell:
        f"{FINEFIT} rehearse {STUDY_FILE} > >(tee {{log}}) 2>&1"
