"""What a study's scores say: tidy tables of them, estimates with intervals in blocks of seeds, and what these decide.

Numbers and tables; no HTML, and no paper's claim. Scores come from a study's artifacts (`collect`) or from a kept
report (`kept`), and are compared the same way (`scores`), in blocks (`blocks`), by estimates with intervals
(`statistics`), which support something or not (`decisions`). The other modules each answer one question of a report,
and the module of `report` that shows the answer has the same name.

May import: jobs, judges, processes, hierarchy, models, study.
"""
