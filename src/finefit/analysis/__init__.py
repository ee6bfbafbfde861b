"""What a study's scores say: tidy tables of them, estimates with intervals in blocks of seeds, and what these decide.

Numbers and tables; no HTML, and no paper's claim. Scores come from a study's artifacts (`collect`) or from a kept
report (`kept`), and are compared the same way (`scores`).

May import: jobs, judges, hierarchy, study.
"""
