"""A target per phase of the study: what a stage of dvc.yaml asks for.

Phases that go by seed ask for the drafts that are due too: so a stage of dvc that trains also draws and scores what the
first seeds made, before it trains the last.
"""

for _phase in dict.fromkeys(phase for phase, _ in PHASES.values()):

    rule:
        name:
            f"phase_{_phase}"
        input:
            markers(PLAN.phase(_phase)),
            drafts() if turns.goes_by_seed(PLAN, _phase) else [],
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
        run(f"rehearse {STUDY_FILE}", STUDY.name)
