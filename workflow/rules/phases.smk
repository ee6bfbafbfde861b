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
